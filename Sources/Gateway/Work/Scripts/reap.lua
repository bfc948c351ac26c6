-- One bounded step of the reaper: what is overdue goes back, workers long gone leave the registry.
-- KEYS  prefix
-- ARGV  now, limit (moves of each sort, 1 … 1000), lease_ms, delivery_ms, timeout_ms, max_retries, registry_ms
-- Reply [more, promoted, checked, dropped, platform, outcome, platform, outcome, …]: more is 1 where the next step should
--       follow at once; promoted delayed tasks became ready; checked and dropped count workers; then each task taken from
--       a worker: outcome is returned (not counted), lost or dead.
-- Parts clock ready sequence promote return
-- Cost  O(limit × log n). `check` holds each worker with leases by when it must be looked at next; one found alive is put
--       off to its next deadline, so that a worker in good health costs one look a lease time.
local now = clock()
local limit, lease_ms, delivery_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local timeout_ms, max_retries, registry_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local reply = {0, 0, 0, 0}
local left = limit

local function whole(number)
    return string.format('%.0f', number)
end

-- Takes the leases delivered between two times (score bounds) back from their worker, while the limit lasts.
local function take_back(held, from, to, counts, failure)
    if left <= 0 then return end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', held, from, to, 'LIMIT', 0, left)) do
        local outcome, platform = send_back(id, now, counts, max_retries, failure)
        reply[#reply + 1] = platform
        reply[#reply + 1] = outcome
        left = left - 1
    end
end

-- When this worker's leases must be looked at again; nil where it has none.
local function next_check(held, seen)
    local first = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')[2]
    if not first then return nil end
    first = math.floor(tonumber(first))
    local at = first + timeout_ms
    if first < seen then at = math.min(at, seen + lease_ms) end
    local unconfirmed = redis.call('ZRANGEBYSCORE', held, whole(seen), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if unconfirmed then at = math.min(at, math.floor(tonumber(unconfirmed)) + delivery_ms) end
    return at
end

local function check(worker)
    local held = p .. 'held:' .. worker
    local seen = tonumber(redis.call('ZSCORE', p .. 'seen', worker) or '0')
    take_back(held, whole(seen), '(' .. whole(now - delivery_ms + 1), false, UNCONFIRMED)
    if seen + lease_ms <= now then take_back(held, '-inf', '(' .. whole(seen), true, SILENT) end
    take_back(held, '-inf', '(' .. whole(now - timeout_ms + 1), true, TIMEOUT)
    local at = next_check(held, seen)
    if at then
        redis.call('ZADD', p .. 'check', at, worker)
    else
        redis.call('ZREM', p .. 'check', worker)
    end
end

local function forget(worker)
    if redis.call('EXISTS', p .. 'held:' .. worker) == 1 then return 0 end
    redis.call('ZREM', p .. 'seen', worker)
    redis.call('ZREM', p .. 'fleet', worker)
    redis.call('ZREM', p .. 'check', worker)
    redis.call('HDEL', p .. 'status', worker)
    redis.call('HDEL', p .. 'polls', worker)
    redis.call('DEL', p .. 'commands:' .. worker)
    redis.call('SREM', p .. 'commanded', worker)
    return 1
end

reply[2] = promote(now, limit)
local due = redis.call('ZRANGEBYSCORE', p .. 'check', '-inf', now, 'LIMIT', 0, limit)
for _, worker in ipairs(due) do
    if left <= 0 then break end
    check(worker)
    reply[3] = reply[3] + 1
end
local gone = redis.call('ZRANGEBYSCORE', p .. 'seen', '-inf', now - registry_ms, 'LIMIT', 0, limit)
for _, worker in ipairs(gone) do
    reply[4] = reply[4] + forget(worker)
end
if reply[2] == limit or #due == limit or left <= 0 or reply[4] == limit then reply[1] = 1 end
if reply[2] > 0 or #reply > 4 then redis.call('PUBLISH', p .. 'wake', reply[2] + (#reply - 4) / 2) end
return reply
