-- Makes the pool exactly what is configured; allocations of proxies that are gone are found out by proxy_take.
-- KEYS  prefix
-- ARGV  now, then 0 … 1024 proxies (HOST:PORT)
-- Reply the size of the pool
-- Parts clock proxy
local configured = {}
for i = 2, #ARGV do
    configured[ARGV[i]] = true
    redis.call('ZADD', p .. 'proxies', 'NX', 0, ARGV[i])
end
for _, proxy in ipairs(redis.call('ZRANGE', p .. 'proxies', 0, -1)) do
    if not configured[proxy] then redis.call('ZREM', p .. 'proxies', proxy) end
end
return redis.call('ZCARD', p .. 'proxies')
