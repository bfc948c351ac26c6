-- Puts what could not become a task straight into the dead letters; idempotent as enqueue is.
-- KEYS  prefix
-- ARGV  now, task_id, body (as enqueue takes it), error (JSON object)
-- Reply 1 buried, 0 duplicate, 2 refused (the body does not start as it must)
-- Parts clock ready sequence return
local now = clock()
local id, body = ARGV[2], ARGV[3]
local priority, tier, platform = string.match(body, HEADER)
if not priority then return 2 end
if redis.call('HSETNX', p .. 'tasks', id, body) == 0 then return 0 end
local seq = next_sequence(now, 1)
redis.call('HSET', p .. 'history', id,
    '0 0 0 0 ' .. string.format('%.0f', seq) .. ' ' .. priority .. tier .. ' ' .. platform)
bury(id, now, ARGV[4])
return 1
