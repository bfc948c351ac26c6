-- Looks an answer up; who finds none, or a stale one, first may ask the upstream for it.
-- KEYS  prefix
-- ARGV  now, key, token, lock_ms
-- Reply [0, locked] none, [1, answer] fresh, [2, answer, locked] stale, [3, names] look under the variant's key;
--       locked is 1 where this token may ask now, 0 where another does
-- Parts clock, cache
local now = clock()
local key = ARGV[2]

local function lock()
    if not redis.call('SET', p .. 'l:' .. key, ARGV[3], 'NX', 'PX', ARGV[4]) then return 0 end
    -- A drop finds the lock by it, and ends the leave to store.
    note(key, now + ARGV[4])
    prune(now, 4)
    return 1
end

local entry = redis.call('HMGET', p .. 'e:' .. key, 'v', 'f', 'd')
if entry[1] then return {3, entry[1]} end
if not entry[3] then return {0, lock()} end
if now < tonumber(entry[2]) then return {1, entry[3]} end
return {2, entry[3], lock()}
