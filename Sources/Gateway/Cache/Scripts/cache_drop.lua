-- Drops answers whose key lies in a range, and the leave of those who are asking for them to store what they get.
-- One step of several: repeat while `examined` is the limit.
-- KEYS  prefix
-- ARGV  now (not used), min, max (of ZRANGEBYLEX), limit
-- Reply [dropped, examined]
-- Parts clock, cache
local keys = redis.call('ZRANGEBYLEX', p .. 'i', ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local dropped = 0
for _, key in ipairs(keys) do
    dropped = dropped + redis.call('HEXISTS', p .. 'e:' .. key, 'd')
    forget(key)
    redis.call('DEL', p .. 'l:' .. key)
end
redis.call('PUBLISH', p .. 'wake', 'D')
return {dropped, #keys}
