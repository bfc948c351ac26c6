-- Ends tasks whose result is stored, whoever holds them and wherever they wait, dead ones included.
-- KEYS  prefix
-- ARGV  now, then for each of 1 … 1000 results: worker, task_id, attempt or ''
-- Reply one byte a result: 1 ended by it, 0 not known (ended before, or never there), 2 of an older attempt, not touched.
-- Parts clock ready withdraw
-- Cost  O(log n) a result. Takes no memory: it works while Redis refuses writes for want of it.
local now = clock()
local count = (#ARGV - 1) / 3
local ids, outcomes = {}, {}
for i = 1, count do
    ids[i] = ARGV[3 * i]
end
local leases = redis.call('HMGET', p .. 'leases', unpack(ids))
local ended, holders, workers = {}, {}, {}
for i, id in ipairs(ids) do
    local attempt = ARGV[3 * i + 1]
    workers[ARGV[3 * i - 1]] = true
    if ended[id] then
        outcomes[i] = '0'
    elseif not leases[i] then
        outcomes[i] = withdraw(id, attempt)
        if outcomes[i] == '1' then ended[id] = true end
    else
        local current, holder = string.match(leases[i], '^(%d+) (%S+)')
        if attempt ~= '' and tonumber(attempt) < tonumber(current) then
            outcomes[i] = '2'
        else
            outcomes[i] = '1'
            ended[id] = true
            local held = holders[holder]
            if not held then
                held = {}
                holders[holder] = held
            end
            held[#held + 1] = id
        end
    end
end
for holder, held in pairs(holders) do
    redis.call('ZREM', p .. 'held:' .. holder, unpack(held))
    redis.call('HDEL', p .. 'leases', unpack(held))
    redis.call('HDEL', p .. 'tasks', unpack(held))
end
local seen, fleet = {}, {}
for worker in pairs(workers) do
    seen[#seen + 1] = now
    seen[#seen + 1] = worker
    fleet[#fleet + 1] = 0
    fleet[#fleet + 1] = worker
end
-- pcall: refused where memory is full, and then the next sign of life will do.
local added = redis.pcall('ZADD', p .. 'seen', 'GT', unpack(seen))
if type(added) == 'number' and added > 0 then redis.pcall('ZADD', p .. 'fleet', unpack(fleet)) end
return table.concat(outcomes)
