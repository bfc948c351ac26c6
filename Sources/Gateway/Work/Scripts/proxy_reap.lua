-- One bounded step: allocations that expired or whose worker is gone are released, bans that ended are forgotten.
-- KEYS  prefix
-- ARGV  now, limit 1 … 1000, lease_ms
-- Reply [more, released, pool, allocations, platform, banned, platform, banned, …]: the platforms that have bans now (the
--       first 1000), then those without that a proxy was taken for lately (the last 1000), for the gauges.
-- Parts clock proxy
local PLATFORM_MS = 7200000
local now = clock()
local limit, lease_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = {0, 0, 0, 0}
local due = redis.call('ZRANGEBYSCORE', p .. 'proxy-check', '-inf', now, 'LIMIT', 0, limit)
for _, allocation in ipairs(due) do
    local worker = string.match(allocation, '^(%S+)')
    local expires = tonumber(string.match(redis.call('HGET', p .. 'proxy-of', allocation), '(%d+)$'))
    local gone = (tonumber(redis.call('ZSCORE', p .. 'seen', worker) or 0)) + lease_ms
    if expires <= now or gone <= now then
        release(allocation)
        reply[2] = reply[2] + 1
    else
        redis.call('ZADD', p .. 'proxy-check', math.min(expires, gone), allocation)
    end
end
local ended = redis.call('ZRANGEBYSCORE', p .. 'proxy-banned', '-inf', now, 'LIMIT', 0, limit)
for _, platform in ipairs(ended) do
    redis.call('DEL', p .. 'proxy-bans:' .. platform)
    redis.call('ZREM', p .. 'proxy-banned', platform)
end
if #due == limit or #ended == limit then reply[1] = 1 end
reply[3] = redis.call('ZCARD', p .. 'proxies')
reply[4] = redis.call('HLEN', p .. 'proxy-of')
for _, platform in ipairs(redis.call('ZRANGE', p .. 'proxy-banned', 0, 999)) do
    redis.call('ZREMRANGEBYSCORE', p .. 'proxy-bans:' .. platform, '-inf', string.format('%.0f', now))
    reply[#reply + 1] = platform
    reply[#reply + 1] = redis.call('ZCARD', p .. 'proxy-bans:' .. platform)
end
redis.call('ZREMRANGEBYSCORE', p .. 'proxy-platforms', '-inf', string.format('%.0f', now - PLATFORM_MS))
redis.call('ZREMRANGEBYRANK', p .. 'proxy-platforms', 0, -1001)
for _, platform in ipairs(redis.call('ZRANGE', p .. 'proxy-platforms', 0, -1)) do
    if not redis.call('ZSCORE', p .. 'proxy-banned', platform) then
        reply[#reply + 1] = platform
        reply[#reply + 1] = 0
    end
end
return reply
