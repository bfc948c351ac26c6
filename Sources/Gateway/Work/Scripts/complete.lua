-- Ends tasks at the word of the worker that holds them.
-- KEYS  prefix
-- ARGV  now, then for each of 1 … 1000 tasks: worker, task_id, attempt or ''
-- Reply [outcomes, platform, platform, …]: one byte a task (1 completed, 0 not leased by this worker, 2 superseded by a
--       later attempt), then the platform of each task, '' where it was not completed.
-- Parts clock
-- Cost  O(log n) a task. Takes no memory: it works while Redis refuses writes for want of it.
local now = clock()
local count = (#ARGV - 1) / 3
local ids, outcomes, reply = {}, {}, {''}
for i = 1, count do
    ids[i] = ARGV[3 * i]
end
local leases = redis.call('HMGET', p .. 'leases', unpack(ids))
local ended, workers = {}, {}
for i, id in ipairs(ids) do
    local worker, attempt, outcome, platform = ARGV[3 * i - 1], ARGV[3 * i + 1], '0', ''
    local held = workers[worker]
    if not held then
        held = {}
        workers[worker] = held
    end
    if leases[i] and not ended[id] then
        local current, holder, on = string.match(leases[i], '^(%d+) (%S+) %d+ %d+ %d+ %d+ %d+ %d+ (.*)$')
        if attempt ~= '' and tonumber(attempt) < tonumber(current) then
            outcome = '2'
        elseif holder == worker then
            outcome, platform = '1', on
            ended[id] = true
            held[#held + 1] = id
        end
    end
    outcomes[i] = outcome
    reply[i + 1] = platform
end
local seen, fleet = {}, {}
for worker, held in pairs(workers) do
    if #held > 0 then
        redis.call('ZREM', p .. 'held:' .. worker, unpack(held))
        redis.call('HDEL', p .. 'leases', unpack(held))
        redis.call('HDEL', p .. 'tasks', unpack(held))
    end
    seen[#seen + 1] = now
    seen[#seen + 1] = worker
    fleet[#fleet + 1] = 0
    fleet[#fleet + 1] = worker
end
-- pcall: refused where memory is full, and then the next sign of life will do.
local added = redis.pcall('ZADD', p .. 'seen', 'GT', unpack(seen))
if type(added) == 'number' and added > 0 then redis.pcall('ZADD', p .. 'fleet', unpack(fleet)) end
reply[1] = table.concat(outcomes)
return reply
