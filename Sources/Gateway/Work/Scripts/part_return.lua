-- Takes a task from its worker that did not finish it. Needs: ready, sequence.
-- A return that does not count leaves the attempt as it was, at most FREE_RETURNS times a task (a task that kills each
-- worker before its first sign of life must not go round for ever); one that counts is a loss, and more than
-- max_retries losses are death.
local FREE_RETURNS = 8
local SILENT = '{"reason":"worker_lost","message":"its worker was not heard from"}'
local UNCONFIRMED = '{"reason":"worker_lost","message":"its deliveries were never confirmed"}'
local UNLISTED = '{"reason":"worker_lost","message":"its worker no longer listed it"}'
local TIMEOUT = '{"reason":"timeout","message":"it was out longer than the task timeout"}'

local function bury(id, now, failure)
    redis.call('ZADD', p .. 'dead', next_sequence(now, 1), id)
    redis.call('HSET', p .. 'errors', id, failure)
end

-- `failure` is the error it dies of if this return is one too many. Returns 'returned', 'lost' or 'dead', and platform.
local function send_back(id, now, counts, max_retries, failure)
    local attempt, worker, failures, losses, returns, seq, priority, tier, platform = string.match(
        redis.call('HGET', p .. 'leases', id), '^(%d+) (%S+) %d+ (%d+) (%d+) (%d+) (%d+) (%d)(%d) (.*)$')
    local outcome = 'lost'
    if not counts and tonumber(returns) < FREE_RETURNS then
        attempt, returns, outcome = attempt - 1, returns + 1, 'returned'
    else
        losses = losses + 1
        if losses > max_retries then outcome = 'dead' end
    end
    redis.call('HSET', p .. 'history', id, attempt .. ' ' .. failures .. ' ' .. losses .. ' ' .. returns .. ' ' .. seq
        .. ' ' .. priority .. tier .. ' ' .. platform)
    if outcome == 'dead' then
        bury(id, now, failure)
    else
        push_ready(priority * 2 - 1, tier, platform, seq, id)
    end
    redis.call('HDEL', p .. 'leases', id)
    redis.call('ZREM', p .. 'held:' .. worker, id)
    return outcome, platform
end
