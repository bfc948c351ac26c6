-- Compares what a worker says it holds with what it was given.
-- KEYS  prefix
-- ARGV  now, worker, delivery_ms, max_retries, then its 0 … 10000 task_ids
-- Reply [[lost task_id, …], [platform, outcome, …]]: lost are those listed that it does not hold (cancelled ones among
--       them); the second list is what was given back, held for longer than delivery_ms and not listed: outcome is
--       returned (never listed: the answer was lost), lost (listed before) or dead.
-- Parts clock heard ready sequence return
-- Cost  O(listed × log n), at most GIVE_BACK_MAX are given back by one call.
local GIVE_BACK_MAX = 100
-- Lua unpacks no more than some 8000 values.
local STEP = 1000
local now = clock()
local worker, delivery_ms, max_retries = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local held = p .. 'held:' .. worker
heard(now, worker)

-- A score with half a millisecond says that the worker has listed the task since it was delivered.
local ids, listed, lost = {}, {}, {}
for i = 5, #ARGV do
    ids[#ids + 1] = ARGV[i]
end
for first = 1, #ids, STEP do
    local last = math.min(first + STEP - 1, #ids)
    local marked = {}
    for i, delivered in ipairs(redis.call('ZMSCORE', held, unpack(ids, first, last))) do
        local id = ids[first + i - 1]
        listed[id] = true
        if not delivered then
            lost[#lost + 1] = id
        elseif tonumber(delivered) % 1 == 0 then
            marked[#marked + 1] = delivered + 0.5
            marked[#marked + 1] = id
        end
    end
    if #marked > 0 then redis.call('ZADD', held, 'XX', unpack(marked)) end
end

local given = {}
local rows = redis.call('ZRANGEBYSCORE', held, '-inf', '(' .. string.format('%.0f', now - delivery_ms), 'WITHSCORES',
    'LIMIT', 0, #ids + GIVE_BACK_MAX)
for i = 1, #rows, 2 do
    if not listed[rows[i]] and #given < 2 * GIVE_BACK_MAX then
        local outcome, platform = send_back(rows[i], now, rows[i + 1] % 1 ~= 0, max_retries, UNLISTED)
        given[#given + 1] = platform
        given[#given + 1] = outcome
    end
end
if #given > 0 then redis.call('PUBLISH', p .. 'wake', #given / 2) end
return {lost, given}
