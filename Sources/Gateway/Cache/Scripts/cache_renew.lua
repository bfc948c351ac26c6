-- Holds a lock longer.
-- KEYS  prefix
-- ARGV  now, key, token, lock_ms
-- Reply 1, 0 where the lock was lost
-- Parts clock, cache
local lock = p .. 'l:' .. ARGV[2]
if redis.call('GET', lock) ~= ARGV[3] then return 0 end
redis.call('PEXPIRE', lock, ARGV[4])
note(ARGV[2], clock() + ARGV[4])
return 1
