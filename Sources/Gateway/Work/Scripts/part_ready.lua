-- Ready lists: one zset per level, tier and platform, scored by sequence; and the turns of the platforms that have one.
-- A level is priority × 2, minus 1 for what was out before (retried, returned, requeued): 1 … 8, lowest first.
-- `turn:M` holds `LEVEL:PLATFORM` for each platform with a ready task of tier ≤ M, scored level × 2^44 + turn: its head
-- is whose turn it is for a worker of max_tier M. A platform's turn is the same in all four; `turn:4` has them all.
local LEVEL = 17592186044416
local HEADER = '^{"priority":([1-4]),"tier":([1-4]),"platform":"([^"\\]+)",'

local function ready_key(level, tier, platform)
    return p .. 'ready:' .. level .. ':' .. tier .. ':' .. platform
end

-- A list got its first task: its platform joins the turns, at the back unless it already waits with another tier.
local function join_turns(level, tier, platform)
    local member = level .. ':' .. platform
    local turn = redis.call('ZSCORE', p .. 'turn:4', member)
        or level * LEVEL + redis.call('INCR', p .. 'turns')
    for most = tier, 4 do
        redis.call('ZADD', p .. 'turn:' .. most, 'NX', turn, member)
    end
end

-- A list lost its last task: its platform leaves the turns of workers for whom it has nothing else.
local function leave_turns(level, platform)
    for most = 1, 4 do
        if redis.call('EXISTS', ready_key(level, most, platform)) == 1 then return end
        redis.call('ZREM', p .. 'turn:' .. most, level .. ':' .. platform)
    end
end

local function push_ready(level, tier, platform, seq, id)
    local key = ready_key(level, tier, platform)
    redis.call('ZADD', key, seq, id)
    if redis.call('ZCARD', key) == 1 then join_turns(level, tier, platform) end
end

local function drop_ready(level, tier, platform, id)
    local key = ready_key(level, tier, platform)
    redis.call('ZREM', key, id)
    if redis.call('EXISTS', key) == 0 then leave_turns(level, platform) end
end
