-- The reaper's lock: one gateway at a time, free again when its holder is silent.
-- KEYS  prefix
-- ARGV  now (not used), acquire|release, token (the holder's own), ttl_ms
-- Reply 1 held by this token now (acquire again to renew) or released, 0 another's
-- Parts clock
local lock = p .. 'reaper'
local holder = redis.call('GET', lock)
if holder and holder ~= ARGV[3] then return 0 end
if ARGV[2] == 'release' then
    redis.call('DEL', lock)
else
    redis.call('SET', lock, ARGV[3], 'PX', ARGV[4])
end
return 1
