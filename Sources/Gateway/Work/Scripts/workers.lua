-- A page of the registry, by worker id.
-- KEYS  prefix
-- ARGV  now, cursor or '' (the beginning), limit 1 … 1000
-- Reply [now_ms, total, next_cursor or '', worker, seen_ms, leases, status or '', …]
-- Parts clock
local limit = tonumber(ARGV[3])
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local workers = redis.call('ZRANGEBYLEX', p .. 'fleet', from, '+', 'LIMIT', 0, limit)
local reply = {clock(), redis.call('ZCARD', p .. 'fleet'), #workers == limit and workers[limit] or ''}
for _, worker in ipairs(workers) do
    reply[#reply + 1] = worker
    reply[#reply + 1] = tonumber(redis.call('ZSCORE', p .. 'seen', worker) or 0)
    reply[#reply + 1] = redis.call('ZCARD', p .. 'held:' .. worker)
    reply[#reply + 1] = redis.call('HGET', p .. 'status', worker) or ''
end
return reply
