-- Signs of life of many workers at once, with what each says of itself.
-- KEYS  prefix
-- ARGV  now, then for each of 1 … 1000 workers: worker, status (JSON)
-- Reply one byte a worker: 1 where commands wait for it (take_commands), else 0.
-- Parts clock
-- The same without a script, a third cheaper: HSET status, ZADD seen GT, SMISMEMBER commanded, and ZADD fleet 0 for the
-- batch where ZADD seen added anybody. Its time must never be ahead of Redis' (it would confirm deliveries made after
-- it): the last TIME reply plus what has passed since that reply arrived.
local now = clock()
local seen, workers = {}, {}
for i = 2, #ARGV, 2 do
    seen[i - 1] = now
    seen[i] = ARGV[i]
    workers[i / 2] = ARGV[i]
end
redis.call('HSET', p .. 'status', unpack(ARGV, 2))
if redis.call('ZADD', p .. 'seen', 'GT', unpack(seen)) > 0 then
    for i = 1, #seen, 2 do
        seen[i] = 0
    end
    redis.call('ZADD', p .. 'fleet', unpack(seen))
end
return table.concat(redis.call('SMISMEMBER', p .. 'commanded', unpack(workers)))
