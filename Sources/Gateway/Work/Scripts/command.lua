-- Leaves a command for one worker's next heartbeat.
-- KEYS  prefix
-- ARGV  now, worker, command
-- Reply 1 left, 0 no such worker, 2 its COMMANDS_MAX are full
-- Parts clock
local COMMANDS_MAX = 100
local worker = ARGV[2]
if not redis.call('ZSCORE', p .. 'seen', worker) then return 0 end
local list = p .. 'commands:' .. worker
if redis.call('LLEN', list) >= COMMANDS_MAX then return 2 end
redis.call('RPUSH', list, ARGV[3])
redis.call('SADD', p .. 'commanded', worker)
return 1
