-- A page of the dead letters, longest dead first.
-- KEYS  prefix
-- ARGV  now, cursor or '' (the beginning), limit 1 … 1000
-- Reply [total, next_cursor or '', body, attempts, error, died_at_ms, …]: a Task is body .. attempts .. '}'.
-- Parts clock
local limit = tonumber(ARGV[3])
local from = ARGV[2] == '' and '-inf' or '(' .. ARGV[2]
local rows = redis.call('ZRANGEBYSCORE', p .. 'dead', from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local reply = {redis.call('ZCARD', p .. 'dead'), #rows == 2 * limit and rows[#rows] or ''}
for i = 1, #rows, 2 do
    local id = rows[i]
    reply[#reply + 1] = redis.call('HGET', p .. 'tasks', id)
    reply[#reply + 1] = string.match(redis.call('HGET', p .. 'history', id), '^%d+')
    reply[#reply + 1] = redis.call('HGET', p .. 'errors', id)
    reply[#reply + 1] = math.floor(rows[i + 1] / 1000)
end
return reply
