-- Takes new tasks in; one that is known (queued, delayed, leased, dead) is a duplicate.
-- KEYS  prefix
-- ARGV  now, then for each of 1 … 1000 tasks: task_id, body
--       A body is the Task's JSON up to the value of "attempt", which comes last, and starts exactly with
--       {"priority":P,"tier":T,"platform":"NAME", where NAME has no quote and no backslash.
-- Reply one byte a task: 1 accepted, 0 duplicate, 2 refused (the body does not start so).
-- Parts clock ready sequence
-- Cost  O(log n) a task.
local now = clock()
local count = (#ARGV - 1) / 2
local seq = next_sequence(now, count)
local lists, outcomes, accepted = {}, {}, 0
for i = 1, count do
    local id, body = ARGV[2 * i], ARGV[2 * i + 1]
    local priority, tier, platform = string.match(body, HEADER)
    if not priority then
        outcomes[i] = '2'
    elseif redis.call('HSETNX', p .. 'tasks', id, body) == 0 then
        outcomes[i] = '0'
    else
        outcomes[i] = '1'
        accepted = accepted + 1
        local key = ready_key(priority * 2, tier, platform)
        local list = lists[key]
        if not list then
            list = {level = priority * 2, tier = tier, platform = platform, key = key, rows = {}}
            lists[key] = list
            lists[#lists + 1] = list
        end
        list.rows[#list.rows + 1] = seq
        list.rows[#list.rows + 1] = id
        seq = seq + 1
    end
end
for _, list in ipairs(lists) do
    redis.call('ZADD', list.key, unpack(list.rows))
    if redis.call('ZCARD', list.key) * 2 == #list.rows then join_turns(list.level, list.tier, list.platform) end
end
if accepted > 0 then redis.call('PUBLISH', p .. 'wake', accepted) end
return table.concat(outcomes)
