-- Removes a task that nobody holds, wherever it waits: ready, delayed or dead. Needs: ready.

-- Returns '1' where it is gone now, '0' where it was not known, '2' where `attempt` is older than its last delivery.
local function withdraw(id, attempt)
    local body = redis.call('HGET', p .. 'tasks', id)
    if not body then return '0' end
    local history = redis.call('HGET', p .. 'history', id)
    if history then
        local last, priority, tier, platform = string.match(history, '^(%d+) %d+ %d+ %d+ %d+ (%d)(%d) (.*)$')
        if attempt ~= '' and tonumber(attempt) < tonumber(last) then return '2' end
        if redis.call('ZREM', p .. 'delayed', id) == 0 then
            if redis.call('ZREM', p .. 'dead', id) == 1 then
                redis.call('HDEL', p .. 'errors', id)
            else
                drop_ready(priority * 2 - 1, tier, platform, id)
            end
        end
        redis.call('HDEL', p .. 'history', id)
    else
        local priority, tier, platform = string.match(body, HEADER)
        drop_ready(priority * 2, tier, platform, id)
    end
    redis.call('HDEL', p .. 'tasks', id)
    return '1'
end
