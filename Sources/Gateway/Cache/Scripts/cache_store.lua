-- Keeps an answer, if the one that asked for it still holds the lock: a drop since then has taken it.
-- KEYS  prefix
-- ARGV  now, lock_key, token, key, base, names, fresh_until_ms, ttl_ms, answer, bytes_max
--       names: what the answer is told apart by, empty for nothing; base then leads to the variants
-- Reply 1 kept, 0 the lock was lost, 2 no room
-- Parts clock, cache
local now = clock()
local lock, key, base = p .. 'l:' .. ARGV[2], ARGV[4], ARGV[5]
if redis.call('GET', lock) ~= ARGV[3] then return 0 end
redis.call('DEL', lock)
prune(now, 16)
forget(key)
-- Its key stands in several places.
local size = #ARGV[9] + 4 * #key + 400
local room = ARGV[10] - size
local used = tonumber(redis.call('GET', p .. 'b') or '0')
local evicted = 0
while used > room and evicted < 64 do
    local soonest = redis.call('ZRANGE', p .. 'x', 0, 0)[1]
    if not soonest then break end
    forget(soonest)
    evicted = evicted + 1
    used = tonumber(redis.call('GET', p .. 'b') or '0')
end
local kept = 2
if used <= room then
    kept = 1
    redis.call('HSET', p .. 'e:' .. key, 'f', ARGV[7], 'd', ARGV[9])
    redis.call('PEXPIRE', p .. 'e:' .. key, ARGV[8])
    redis.call('HSET', p .. 's', key, size)
    redis.call('INCRBY', p .. 'b', size)
    note(key, now + ARGV[8])
    if ARGV[6] ~= '' then
        forget(base)
        redis.call('HSET', p .. 'e:' .. base, 'v', ARGV[6])
        redis.call('PEXPIRE', p .. 'e:' .. base, ARGV[8])
        note(base, now + ARGV[8])
    end
end
redis.call('PUBLISH', p .. 'wake', 'S' .. ARGV[2])
return kept
