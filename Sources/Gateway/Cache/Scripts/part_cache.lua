-- The book-keeping of cached answers. Keys below the prefix:
--   e:KEY  HASH    an answer (f fresh until, d the answer) or what answers are told apart by (v names)
--   l:KEY  STRING  the token of the one that asks the upstream for it
--   i      ZSET    every KEY, all with score 0: found by prefix
--   x      ZSET    every KEY by the time it ends
--   s, b           sizes by KEY, and their sum

-- Has a key be found until then.
local function note(key, until_ms)
    redis.call('ZADD', p .. 'i', 0, key)
    redis.call('ZADD', p .. 'x', 'GT', until_ms, key)
end

local function forget(key)
    local size = redis.call('HGET', p .. 's', key)
    if size then
        redis.call('HDEL', p .. 's', key)
        redis.call('DECRBY', p .. 'b', size)
    end
    redis.call('ZREM', p .. 'i', key)
    redis.call('ZREM', p .. 'x', key)
    redis.call('DEL', p .. 'e:' .. key)
end

-- Forgets some of what has ended by itself.
local function prune(now, limit)
    local ended = redis.call('ZRANGEBYSCORE', p .. 'x', '-inf', now, 'LIMIT', 0, limit)
    for _, key in ipairs(ended) do forget(key) end
end
