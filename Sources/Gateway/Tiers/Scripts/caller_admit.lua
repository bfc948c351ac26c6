-- Takes a token of a caller's bucket, then one of its quota. A refusal of the bucket counts nothing; one of the quota
-- has cost its token all the same.
-- KEYS  bucket, counter, mark
-- ARGV  interval_us, window_us    of the bucket; interval 0: no rate
--       limit, expire_seconds     of the quota; limit -2: none is asked for, -1: counted without a limit
--       mark_ms                   how long this charge is known, should the script run twice
-- Reply rate   1 allowed, 0 refused
--       full_in_us, retry_in_us   of the bucket, as it is now
--       quota  1 charged, 0 refused, -1 not asked
--       used   after this
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
-- A charge that is known was made by this very call, whose reply was lost.
local is_known = redis.call('EXISTS', KEYS[3]) == 1
local full_at = now
if interval > 0 then
    full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
    -- A clock that was set back must not lock anybody out for longer than a bucket takes to fill.
    full_at = math.min(full_at, now + window)
    if not is_known then
        if full_at + interval > now + window then
            return {0, full_at - now, full_at + interval - now - window, -1, 0}
        end
        full_at = full_at + interval
    end
end
local quota, used = -1, 0
local limit = tonumber(ARGV[3])
if limit > -2 then
    used = tonumber(redis.call('GET', KEYS[2]) or '0')
    if is_known then
        quota = 1
    elseif limit >= 0 and used >= limit then
        quota = 0
    else
        used = redis.call('INCR', KEYS[2])
        redis.call('EXPIREAT', KEYS[2], ARGV[4])
        redis.call('SET', KEYS[3], '1', 'PX', ARGV[5])
        quota = 1
    end
end
if interval > 0 and not is_known then
    redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {1, full_at - now, 0, quota, used}
