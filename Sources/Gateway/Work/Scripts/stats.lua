-- The queue in figures, the depths in pages.
-- KEYS  prefix
-- ARGV  now, alive_ms (heard from within), offset (0 in the first page), limit 1 … 1000 (platform levels looked at)
-- Reply [now_ms, queued, leased, delayed, dead, workers, alive, next_offset or 0, oldest_ms or 0,
--       platform, priority, depth, oldest_ms, …]: oldest_ms is when the oldest queued task of this page, or of this
--       platform and priority, was enqueued. A platform and priority may come twice and add up.
-- Parts clock ready
local now = clock()
local offset, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local leased, delayed = redis.call('HLEN', p .. 'leases'), redis.call('ZCARD', p .. 'delayed')
local dead = redis.call('ZCARD', p .. 'dead')
local members = redis.call('ZRANGE', p .. 'turn:4', offset, offset + limit - 1)
local reply = {
    now, redis.call('HLEN', p .. 'tasks') - leased - delayed - dead, leased, delayed, dead,
    redis.call('ZCARD', p .. 'seen'), redis.call('ZCOUNT', p .. 'seen', '(' .. string.format('%.0f', now - ARGV[2]), '+inf'),
    #members == limit and offset + limit or 0, 0
}
local oldest
for _, member in ipairs(members) do
    local level, platform = tonumber(string.sub(member, 1, 1)), string.sub(member, 3)
    local depth, first = 0, nil
    for tier = 1, 4 do
        local key = ready_key(level, tier, platform)
        local count = redis.call('ZCARD', key)
        if count > 0 then
            local seq = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
            first = math.min(first or seq, seq)
            depth = depth + count
        end
    end
    reply[#reply + 1] = platform
    reply[#reply + 1] = math.ceil(level / 2)
    reply[#reply + 1] = depth
    reply[#reply + 1] = math.floor((first or 0) / 1000)
    if first then oldest = math.min(oldest or first, first) end
end
if oldest then reply[9] = math.floor(oldest / 1000) end
return reply
