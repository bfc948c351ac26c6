-- Sequence numbers: the time in µs, pushed on where several fall together. They order ready lists (first in, first
-- out), date the oldest task and page the dead letters.

-- Reserves `count` numbers, returns the first.
local function next_sequence(now, count)
    local last = tonumber(redis.call('GET', p .. 'seq') or '0')
    local first = math.max(last + 1, now * 1000)
    redis.call('SET', p .. 'seq', first + count - 1)
    return first
end
