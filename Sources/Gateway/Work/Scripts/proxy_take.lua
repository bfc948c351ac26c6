-- The proxy of a worker for a platform: the one it has, while it is neither expired nor banned nor out of the pool; else
-- another.
-- KEYS  prefix
-- ARGV  now, worker, platform, ttl_ms, lease_ms, source: pool (the least used that is not banned), kept (none but the one
--       it has), or HOST:PORT (this one, fresh from a proxy service; joins the pool)
-- Reply [HOST:PORT, expires_ms], ['', 0] where there is none
-- Parts clock proxy
-- Cost  O(banned × log n); a pool is at most PROXIES_MAX.
local CHUNK = 64
local now = clock()
local worker, platform, source = ARGV[2], ARGV[3], ARGV[6]
local allocation = worker .. ' ' .. platform
local bans = p .. 'proxy-bans:' .. platform

local function is_usable(proxy)
    local until_ms = redis.call('ZSCORE', bans, proxy)
    return redis.call('ZSCORE', p .. 'proxies', proxy) and not (until_ms and tonumber(until_ms) > now)
end

local function least_used()
    for from = 0, PROXIES_MAX - 1, CHUNK do
        local proxies = redis.call('ZRANGE', p .. 'proxies', from, from + CHUNK - 1)
        if #proxies == 0 then return nil end
        for i, until_ms in ipairs(redis.call('ZMSCORE', bans, unpack(proxies))) do
            if not until_ms or tonumber(until_ms) <= now then return proxies[i] end
        end
    end
end

local record = redis.call('HGET', p .. 'proxy-of', allocation)
if record then
    local proxy, expires = string.match(record, '^(%S+) (%d+)$')
    if tonumber(expires) > now and is_usable(proxy) then return {proxy, tonumber(expires)} end
end
local proxy
if source == 'pool' then
    proxy = least_used()
elseif source ~= 'kept' then
    if redis.call('ZCARD', p .. 'proxies') < PROXIES_MAX then redis.call('ZADD', p .. 'proxies', 'NX', 0, source) end
    if is_usable(source) then proxy = source end
end
-- Asked for: proxy_reap shows it.
redis.call('ZADD', p .. 'proxy-platforms', now, platform)
-- Where Redis has no memory left this is refused before anything is released.
local turn = redis.call('INCR', p .. 'proxy-turns')
if record then release(allocation) end
if not proxy then return {'', 0} end
local uses = math.floor(redis.call('ZSCORE', p .. 'proxies', proxy) / USE)
local expires = now + ARGV[4]
redis.call('ZADD', p .. 'proxies', (uses + 1) * USE + turn, proxy)
redis.call('HSET', p .. 'proxy-of', allocation, proxy .. ' ' .. string.format('%.0f', expires))
redis.call('ZADD', p .. 'proxy-check', math.min(expires, now + ARGV[5]), allocation)
return {proxy, expires}
