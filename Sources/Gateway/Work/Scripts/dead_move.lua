-- Requeues or deletes dead letters: those named, or all there were when it began, in bounded steps.
-- KEYS  prefix
-- ARGV  now, requeue|delete, limit 1 … 1000 (a step of all), cutoff ('' in the first step), then 0 … 1000 task_ids (none is all)
-- Reply [moved, cutoff, more]: where more is 1 call again with this cutoff, so that what dies meanwhile stays.
-- Parts clock ready
-- A requeued task has all its retries again, keeps its attempts, and goes ahead of the new ones of its priority.
local requeue, limit, cutoff = ARGV[2] == 'requeue', tonumber(ARGV[3]), ARGV[4]
if cutoff == '' then cutoff = redis.call('GET', p .. 'seq') or '0' end
local ids = {}
for i = 5, #ARGV do
    ids[#ids + 1] = ARGV[i]
end
local named = #ids > 0
if not named then ids = redis.call('ZRANGEBYSCORE', p .. 'dead', '-inf', cutoff, 'LIMIT', 0, limit) end
local moved = 0
for _, id in ipairs(ids) do
    if redis.call('ZSCORE', p .. 'dead', id) then
        if requeue then
            local attempt, seq, priority, tier, platform =
                string.match(redis.call('HGET', p .. 'history', id), '^(%d+) %d+ %d+ %d+ (%d+) (%d)(%d) (.*)$')
            redis.call('HSET', p .. 'history', id,
                attempt .. ' 0 0 0 ' .. seq .. ' ' .. priority .. tier .. ' ' .. platform)
            push_ready(priority * 2 - 1, tier, platform, seq, id)
        else
            redis.call('HDEL', p .. 'history', id)
            redis.call('HDEL', p .. 'tasks', id)
        end
        redis.call('ZREM', p .. 'dead', id)
        redis.call('HDEL', p .. 'errors', id)
        moved = moved + 1
    end
end
if requeue and moved > 0 then redis.call('PUBLISH', p .. 'wake', moved) end
return {moved, cutoff, not named and #ids == limit and 1 or 0}
