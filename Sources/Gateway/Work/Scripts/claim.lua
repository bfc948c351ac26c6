-- Leases ready tasks to a worker: lower priority number first, platforms in turn, first in first out.
-- KEYS  prefix
-- ARGV  now, worker, capacity 1 … 100, max_tier 1 … 4, poll_id or '', delivery_ms, timeout_ms, leases_max,
--       then 0 … 64 platforms (none is all)
-- Reply [now_ms, due_ms, repeated, body, attempt, body, attempt, …]: due_ms is when the next delayed task is due (0: none
--       waits), repeated is 1 where this poll_id's delivery is given again, 2 where the worker holds leases_max already.
--       A Task is body .. attempt .. '}'.
-- Parts clock heard ready promote
-- Cost  O(capacity × (tiers + log n)), whatever the number of platforms.
local PROMOTE_MAX = 32
local now = clock()
local worker, capacity, max_tier, poll = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local delivery_ms, timeout_ms, leases_max = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local held = p .. 'held:' .. worker
heard(now, worker)

-- The window for the first sign of life starts with this delivery.
local function delivered(ids)
    local rows = {}
    for i, id in ipairs(ids) do
        rows[2 * i - 1] = now
        rows[2 * i] = id
    end
    redis.call('ZADD', held, unpack(rows))
    redis.call('ZADD', p .. 'check', 'LT', now + delivery_ms, worker)
    if poll ~= '' then redis.call('HSET', p .. 'polls', worker, cmsgpack.pack({poll, now, ids})) end
end

-- What this poll got the first time and is still out with that delivery; nil where there is none.
local function repeated()
    local packed = poll ~= '' and redis.call('HGET', p .. 'polls', worker)
    local last = packed and cmsgpack.unpack(packed)
    if not last or last[1] ~= poll then return nil end
    local ids, leases, reply = {}, {}, {now, 0, 1}
    local scores = redis.call('ZMSCORE', held, unpack(last[3]))
    local records = redis.call('HMGET', p .. 'leases', unpack(last[3]))
    for i, id in ipairs(last[3]) do
        if scores[i] and math.floor(tonumber(scores[i])) == last[2] then
            local attempt, first = string.match(records[i], '^(%d+) %S+ (%d+)')
            -- Repeating may stretch a lease to twice the task timeout, not for ever.
            if first + timeout_ms > now then
                ids[#ids + 1] = id
                leases[#leases + 1] = attempt
            end
        end
    end
    if #ids == 0 then return nil end
    delivered(ids)
    for i, body in ipairs(redis.call('HMGET', p .. 'tasks', unpack(ids))) do
        reply[#reply + 1] = body
        reply[#reply + 1] = leases[i]
    end
    return reply
end

local again = repeated()
if again then return again end

local due = redis.call('ZRANGE', p .. 'delayed', 0, 0, 'WITHSCORES')[2]
if due and tonumber(due) <= now then
    redis.call('PUBLISH', p .. 'wake', promote(now, PROMOTE_MAX))
    due = redis.call('ZRANGE', p .. 'delayed', 0, 0, 'WITHSCORES')[2]
end
local reply = {now, tonumber(due or 0), 0}

-- Platforms with something for this worker, those whose turn it is first.
local function entries_all()
    local entries = {}
    for i, member in ipairs(redis.call('ZRANGE', p .. 'turn:' .. max_tier, 0, capacity - 1)) do
        entries[i] = {member = member, level = tonumber(string.sub(member, 1, 1)), platform = string.sub(member, 3)}
    end
    return entries
end

local function entries_named()
    local members, named, entries = {}, {}, {}
    for i = 9, #ARGV do
        local platform = ARGV[i]
        if not named[platform] then
            named[platform] = true
            for level = 1, 8 do
                members[#members + 1] = level .. ':' .. platform
            end
        end
    end
    for i, turn in ipairs(redis.call('ZMSCORE', p .. 'turn:' .. max_tier, unpack(members))) do
        if turn then
            local member = members[i]
            entries[#entries + 1] = {
                member = member, turn = tonumber(turn),
                level = tonumber(string.sub(member, 1, 1)), platform = string.sub(member, 3)
            }
        end
    end
    table.sort(entries, function(a, b) return a.turn < b.turn end)
    return entries
end

-- The oldest task of a platform over the tiers allowed, or nil. `ahead` is how many it will probably give.
local function take(entry, ahead)
    local oldest, from
    for tier = 1, max_tier do
        local list = entry[tier]
        if not list then
            list = {key = ready_key(entry.level, tier, entry.platform), tier = tier, taken = 0, rows = {}, at = 1, more = true}
            entry[tier] = list
        end
        if list.more and list.at > #list.rows then
            list.rows = redis.call('ZRANGE', list.key, list.taken, list.taken + ahead - 1, 'WITHSCORES')
            list.at = 1
            list.more = #list.rows == 2 * ahead
        end
        local seq = tonumber(list.rows[list.at + 1])
        if seq and (not oldest or seq < oldest) then
            oldest, from = seq, list
        end
    end
    if not from then return nil end
    local id, seq = from.rows[from.at], from.rows[from.at + 1]
    from.at = from.at + 2
    from.taken = from.taken + 1
    return {id = id, seq = seq, entry = entry, tier = from.tier}
end

-- Level by level, each platform gives one task and goes to the back.
local function choose(entries, room)
    local chosen, at = {}, 1
    while #chosen < room and at <= #entries do
        local queue, level, head = {}, entries[at].level, 1
        while entries[at] and entries[at].level == level do
            queue[#queue + 1] = entries[at]
            at = at + 1
        end
        while #chosen < room and head <= #queue do
            local entry = queue[head]
            local task = take(entry, math.ceil((room - #chosen) / (#queue - head + 1)))
            head = head + 1
            if task then
                chosen[#chosen + 1] = task
                entry.served = #chosen
                queue[#queue + 1] = entry
            end
        end
    end
    return chosen
end

-- Turns after this delivery, then the chosen leave their lists (they are always the heads).
local function settle(entries, count)
    local turns = redis.call('INCRBY', p .. 'turns', count) - count
    local rows = {}
    for _, entry in ipairs(entries) do
        if entry.served then
            rows[#rows + 1] = entry.level * LEVEL + turns + entry.served
            rows[#rows + 1] = entry.member
        end
    end
    for most = 1, 4 do
        redis.call('ZADD', p .. 'turn:' .. most, 'XX', unpack(rows))
    end
    for _, entry in ipairs(entries) do
        local emptied = false
        for tier = 1, entry.served and max_tier or 0 do
            local list = entry[tier]
            if list.taken > 0 then
                redis.call('ZREMRANGEBYRANK', list.key, 0, list.taken - 1)
                emptied = emptied or redis.call('EXISTS', list.key) == 0
            end
        end
        if emptied then leave_turns(entry.level, entry.platform) end
    end
end

local room = math.min(capacity, leases_max - redis.call('ZCARD', held))
if room <= 0 then return {now, reply[2], 2} end
local entries = #ARGV > 8 and entries_named() or entries_all()
local chosen = choose(entries, room)
if #chosen == 0 then return reply end

local ids, known = {}, {}
for i, task in ipairs(chosen) do
    ids[i] = task.id
    if task.entry.level % 2 == 1 then known[#known + 1] = task.id end
end
local histories = {}
if #known > 0 then
    for i, history in ipairs(redis.call('HMGET', p .. 'history', unpack(known))) do
        histories[known[i]] = history
    end
end
local leases = {}
local head = ' ' .. worker .. ' ' .. string.format('%.0f', now) .. ' '
for i, body in ipairs(redis.call('HMGET', p .. 'tasks', unpack(ids))) do
    local task = chosen[i]
    local history = histories[task.id]
    local attempt, rest = '1', nil
    if history then
        attempt, rest = string.match(history, '^(%d+) (.*)$')
        attempt = tostring(attempt + 1)
    else
        rest = '0 0 0 ' .. task.seq .. ' ' .. task.entry.level / 2 .. task.tier .. ' ' .. task.entry.platform
    end
    leases[2 * i - 1] = task.id
    leases[2 * i] = attempt .. head .. rest
    reply[#reply + 1] = body
    reply[#reply + 1] = attempt
end
redis.call('HSET', p .. 'leases', unpack(leases))
delivered(ids)
settle(entries, #chosen)
if #known > 0 then redis.call('HDEL', p .. 'history', unpack(known)) end
return reply
