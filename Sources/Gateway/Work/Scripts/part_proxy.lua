-- Who uses which proxy. Needs: clock.
-- `proxies` scores each proxy (HOST:PORT) by its allocations × 2^40 + the turn of the last one: its head is the least
-- used, longest ago. An allocation is `WORKER PLATFORM` in `proxy-of`, and in `proxy-check` by when it must be looked at.
local USE = 1099511627776
local PROXIES_MAX = 1024

-- Ends an allocation; returns its proxy or nil.
local function release(allocation)
    local record = redis.call('HGET', p .. 'proxy-of', allocation)
    if not record then return nil end
    local proxy = string.match(record, '^(%S+)')
    local uses = redis.call('ZSCORE', p .. 'proxies', proxy)
    if uses and tonumber(uses) >= USE then redis.call('ZINCRBY', p .. 'proxies', -USE, proxy) end
    redis.call('HDEL', p .. 'proxy-of', allocation)
    redis.call('ZREM', p .. 'proxy-check', allocation)
    return proxy
end
