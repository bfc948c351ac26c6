-- Drops a task. Its holder, if it has one, no longer holds it: its next heartbeat with task_ids says so (reconcile), and
-- its complete or fail is answered not_leased.
-- KEYS  prefix
-- ARGV  now, task_id
-- Reply [outcome, worker]: outcome is unknown, dropped (it waited or was dead) or cancelled (worker held it, else '').
-- Parts clock ready withdraw
local id = ARGV[2]
local lease = redis.call('HGET', p .. 'leases', id)
if lease then
    local worker = string.match(lease, '^%d+ (%S+)')
    redis.call('ZREM', p .. 'held:' .. worker, id)
    redis.call('HDEL', p .. 'leases', id)
    redis.call('HDEL', p .. 'tasks', id)
    return {'cancelled', worker}
end
return {withdraw(id, '') == '1' and 'dropped' or 'unknown', ''}
