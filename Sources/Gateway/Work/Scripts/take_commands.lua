-- The commands left for a worker, in order; they are delivered once.
-- KEYS  prefix
-- ARGV  now, worker
-- Reply [command, …]
-- Parts clock
local list = p .. 'commands:' .. ARGV[2]
local commands = redis.call('LRANGE', list, 0, -1)
redis.call('DEL', list)
redis.call('SREM', p .. 'commanded', ARGV[2])
return commands
