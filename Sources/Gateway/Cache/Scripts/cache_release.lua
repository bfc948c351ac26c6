-- Ends a lock without an answer.
-- KEYS  prefix
-- ARGV  now (not used), key, token, keep_ms (0: at once), word, is_gone
--       word: what waiters are told, S look again, P go by yourselves; is_gone 1: what is kept is forgotten
-- Reply 1, 0 where the lock was lost
-- Parts clock, cache
local lock = p .. 'l:' .. ARGV[2]
if redis.call('GET', lock) ~= ARGV[3] then return 0 end
if ARGV[4] == '0' then
    redis.call('DEL', lock)
else
    redis.call('PEXPIRE', lock, ARGV[4])
end
if ARGV[6] == '1' or redis.call('EXISTS', p .. 'e:' .. ARGV[2]) == 0 then forget(ARGV[2]) end
redis.call('PUBLISH', p .. 'wake', ARGV[5] .. ARGV[2])
return 1
