-- POST /internal/heartbeat as the gateway answers it: token and worker id are checked, the body is validated, and the
-- answer leaves when Redis has the status, the time and the registry's entry and has told whether commands wait.
-- One of nginx's worker processes; a pool of REDIS_KEPT connections to Redis, which each request has for itself in turn.
local cjson = require "cjson.safe"
-- The name in Debian, and the one elsewhere.
local has_redis, redis = pcall(require, "nginx.redis")
if not has_redis then redis = require "resty.redis" end

local REDIS_KEPT = 128
local REDIS_KEPT_MS = 60000
local REDIS_TIMEOUT_MS = 5000
local WORKER_ID_BYTES_MAX = 128

local token = os.getenv("BENCH_TOKEN")
local socket = "unix:" .. os.getenv("BENCH_REDIS_SOCKET")
local numbers = { "active_tasks", "completed_last_minute", "failed_last_minute", "cpu_percent", "memory_percent" }
local ngx, type, ipairs = ngx, type, ipairs

local function say(status, text)
    ngx.status = status
    local headers = ngx.header
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = #text
    ngx.print(text)
end

local function refuse(status, code)
    say(status, '{"error":{"code":"' .. code .. '"}}')
end

local function is_status(value)
    if type(value) ~= "table" or type(value.platforms) ~= "table" then return false end
    for _, name in ipairs(numbers) do
        if type(value[name]) ~= "number" then return false end
    end
    for _, platform in ipairs(value.platforms) do
        if type(platform) ~= "string" then return false end
    end
    return true
end

-- What waits for this worker, which is nearly always nothing.
local function commands_of(client, worker)
    local commands = client:lrange("bench:commands:" .. worker, 0, -1)
    client:del("bench:commands:" .. worker)
    client:srem("bench:commanded", worker)
    return cjson.encode(commands)
end

local function store(worker, body)
    local client = redis:new()
    client:set_timeout(REDIS_TIMEOUT_MS)
    if not client:connect(socket) then return nil end
    client:init_pipeline(4)
    client:hset("bench:status", worker, body)
    client:zadd("bench:seen", "GT", ngx.now() * 1000, worker)
    client:zadd("bench:fleet", 0, worker)
    client:sismember("bench:commanded", worker)
    local replies = client:commit_pipeline()
    if not replies then return nil end
    for index = 1, 4 do
        if type(replies[index]) == "table" then return nil end
    end
    local commands = replies[4] == 1 and commands_of(client, worker) or "[]"
    client:set_keepalive(REDIS_KEPT_MS, REDIS_KEPT)
    return commands
end

local function answer()
    local var = ngx.var
    if var.http_x_worker_token ~= token then return refuse(401, "UNAUTHORIZED") end
    local worker = var.http_x_worker_id
    if not worker or #worker > WORKER_ID_BYTES_MAX or not worker:find("^[%w._:-]+$") then
        return refuse(400, "INVALID_REQUEST")
    end
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    local status = body and cjson.decode(body)
    if not status then return refuse(400, "INVALID_REQUEST") end
    if not is_status(status) then return refuse(422, "VALIDATION_ERROR") end
    local commands = store(worker, body)
    if not commands then return refuse(503, "SERVICE_UNAVAILABLE") end
    say(200, '{"acknowledged":true,"commands":' .. commands .. "}")
end

return { answer = answer }
