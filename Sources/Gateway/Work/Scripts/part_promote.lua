-- Delayed tasks that are due go ahead of the new ones of their priority. Needs: ready.

-- Moves at most `limit`, returns how many.
local function promote(now, limit)
    local ids = redis.call('ZRANGEBYSCORE', p .. 'delayed', '-inf', now, 'LIMIT', 0, limit)
    if #ids == 0 then return 0 end
    local histories = redis.call('HMGET', p .. 'history', unpack(ids))
    for i, id in ipairs(ids) do
        local seq, priority, tier, platform =
            string.match(histories[i], '^%d+ %d+ %d+ %d+ (%d+) (%d)(%d) (.*)$')
        push_ready(priority * 2 - 1, tier, platform, seq, id)
    end
    redis.call('ZREM', p .. 'delayed', unpack(ids))
    return #ids
end
