-- A worker is done with a proxy; with a time it is kept from the platform for as long (a ban, or the cool-down of a
-- rotation). Other workers that have it there get another when they next ask.
-- KEYS  prefix
-- ARGV  now, worker, platform, port ('' is the one it has), ban_ms (0: none)
-- Reply [HOST:PORT, until_ms], ['', 0] where no proxy has that port
-- Parts clock proxy
local now = clock()
local allocation, port, ban_ms = ARGV[2] .. ' ' .. ARGV[3], ARGV[4], tonumber(ARGV[5])

local function port_of(proxy)
    return string.match(proxy, ':(%d+)$')
end

-- The worker's own first: ports may repeat over hosts.
local function named()
    local record = redis.call('HGET', p .. 'proxy-of', allocation)
    local own = record and string.match(record, '^(%S+)')
    if own and (port == '' or port_of(own) == port) then return own, true end
    for _, proxy in ipairs(redis.call('ZRANGE', p .. 'proxies', 0, PROXIES_MAX - 1)) do
        if port_of(proxy) == port then return proxy, false end
    end
end

local proxy, is_own = named()
if not proxy then return {'', 0} end
local until_ms = 0
if ban_ms > 0 then
    until_ms = now + ban_ms
    redis.call('ZADD', p .. 'proxy-bans:' .. ARGV[3], 'GT', until_ms, proxy)
    redis.call('ZADD', p .. 'proxy-banned', 'GT', until_ms, ARGV[3])
end
if is_own then release(allocation) end
return {proxy, until_ms}
