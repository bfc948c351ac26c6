-- Leaves a command for every worker that is alive now, in bounded steps.
-- KEYS  prefix
-- ARGV  now, alive_ms (heard from within), command, cursor ('' in the first step), limit 1 … 1000 (workers looked at)
-- Reply [reached, next_cursor]: call again with next_cursor until it is ''.
-- Parts clock
-- A worker whose COMMANDS_MAX are full is left out.
local COMMANDS_MAX = 100
local since, limit = clock() - ARGV[2], tonumber(ARGV[5])
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local workers = redis.call('ZRANGEBYLEX', p .. 'fleet', from, '+', 'LIMIT', 0, limit)
local reached = 0
for _, worker in ipairs(workers) do
    local seen = redis.call('ZSCORE', p .. 'seen', worker)
    local list = p .. 'commands:' .. worker
    if seen and tonumber(seen) > since and redis.call('LLEN', list) < COMMANDS_MAX then
        redis.call('RPUSH', list, ARGV[3])
        redis.call('SADD', p .. 'commanded', worker)
        reached = reached + 1
    end
end
return {reached, #workers == limit and workers[limit] or ''}
