-- The key prefix and the fleet's one clock. Every script starts with this part.
-- KEYS[1] is the prefix of all keys of one kind and partition, hash tag included: `{parcel:0}:`. Every other key is
-- derived from it, so that all of a script's keys lie in one slot of a Redis Cluster.
-- ARGV[1] is the time in ms; empty (always, outside tests) takes Redis' own clock.
local p = KEYS[1]

local function clock()
    if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
