-- A worker gives up on a task it holds: again later, or to the dead letters.
-- KEYS  prefix
-- ARGV  now, worker, task_id, attempt or '', retry_suggested 1|0, max_retries, retry_base_ms, error (JSON object)
-- Reply [outcome, attempt, retry_after_ms, dead, platform]: outcome is failed, not_leased or superseded; the rest is what
--       happened to a failed one (attempt is the one that failed, retry_after_ms is 0 where dead is 1), else 0 and ''.
-- Parts clock heard ready sequence return
local DELAY_MAX_MS = 86400000
local now = clock()
local worker, id, attempt = ARGV[2], ARGV[3], ARGV[4]
heard(now, worker)
local lease = redis.call('HGET', p .. 'leases', id)
if not lease then return {'not_leased', 0, 0, 0, ''} end
local current, holder, failures, rest, platform =
    string.match(lease, '^(%d+) (%S+) %d+ (%d+) (%d+ %d+ %d+ %d+ (.*))$')
if attempt ~= '' and tonumber(attempt) < tonumber(current) then return {'superseded', 0, 0, 0, ''} end
if holder ~= worker then return {'not_leased', 0, 0, 0, ''} end

local dead = ARGV[5] ~= '1' or tonumber(failures) >= tonumber(ARGV[6])
local delay = dead and 0 or math.min(ARGV[7] * 2 ^ failures, DELAY_MAX_MS)
redis.call('HSET', p .. 'history', id, current .. ' ' .. failures + 1 .. ' ' .. rest)
if dead then
    bury(id, now, ARGV[8])
else
    redis.call('ZADD', p .. 'delayed', now + delay, id)
end
redis.call('HDEL', p .. 'leases', id)
redis.call('ZREM', p .. 'held:' .. worker, id)
return {'failed', tonumber(current), delay, dead and 1 or 0, platform}
