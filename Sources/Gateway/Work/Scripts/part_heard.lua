-- A sign of life of one worker: its leases live on from here, and it is in the registry. Needs: clock.
-- Comes first in scripts that take memory (where Redis has none left it is refused before anything is moved).
local function heard(now, worker)
    if redis.call('ZADD', p .. 'seen', 'GT', now, worker) == 1 then
        redis.call('ZADD', p .. 'fleet', 0, worker)
    end
end
