-- Gives a charge back: its request was not answered as it should have been.
-- KEYS  counter, mark
-- ARGV  mark_ms, how long this giving back is known, should the script run twice
-- Reply 1 given back, 0 nothing to give
if not redis.call('SET', KEYS[2], '1', 'PX', ARGV[1], 'NX') then return 1 end
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used <= 0 then return 0 end
redis.call('DECR', KEYS[1])
return 1
