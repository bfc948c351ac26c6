"""POST /internal/heartbeat as FastAPI does it well: the body read once and validated by pydantic's own JSON parser, Redis by
a Unix socket with hiredis and one pipeline a request, no headers or bodies declared where FastAPI would unpack them in
Python. For uvicorn with uvloop and httptools, one worker; at most REDIS_CONNECTIONS_MAX connections to Redis."""

import gc
import os
import re
import time

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ValidationError
from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.exceptions import RedisError

REDIS_CONNECTIONS_MAX = 128

TOKEN = os.environ["BENCH_TOKEN"]
WORKER_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class WorkerStatus(BaseModel):
    active_tasks: int
    completed_last_minute: int
    failed_last_minute: int
    platforms: list[str]
    cpu_percent: float
    memory_percent: float


redis = Redis(
    connection_pool=BlockingConnectionPool(
        connection_class=UnixDomainSocketConnection,
        path=os.environ["BENCH_REDIS_SOCKET"],
        max_connections=REDIS_CONNECTIONS_MAX,
    )
)
app = FastAPI(openapi_url=None)


def refusal(status: int, code: str) -> Response:
    return Response(f'{{"error":{{"code":"{code}"}}}}', status, media_type="application/json")


async def commands_of(worker: str) -> str:
    """What waits for this worker, which is nearly always nothing."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.lrange(f"bench:commands:{worker}", 0, -1)
    pipeline.delete(f"bench:commands:{worker}")
    pipeline.srem("bench:commanded", worker)
    commands, _, _ = await pipeline.execute()
    return ",".join(f'"{command.decode()}"' for command in commands)


@app.post("/internal/heartbeat")
async def heartbeat(request: Request) -> Response:
    headers = request.headers
    if headers.get("x-worker-token") != TOKEN:
        return refusal(401, "UNAUTHORIZED")
    worker = headers.get("x-worker-id", "")
    if not WORKER_ID.fullmatch(worker):
        return refusal(400, "INVALID_REQUEST")
    try:
        status = WorkerStatus.model_validate_json(await request.body())
    except ValidationError:
        return refusal(422, "VALIDATION_ERROR")
    pipeline = redis.pipeline(transaction=False)
    pipeline.hset("bench:status", worker, status.model_dump_json())
    pipeline.zadd("bench:seen", {worker: int(time.time() * 1000)}, gt=True)
    pipeline.zadd("bench:fleet", {worker: 0})
    pipeline.sismember("bench:commanded", worker)
    try:
        replies = await pipeline.execute()
        commands = await commands_of(worker) if replies[3] else ""
    except RedisError:
        return refusal(503, "SERVICE_UNAVAILABLE")
    return Response(f'{{"acknowledged":true,"commands":[{commands}]}}', media_type="application/json")


# What start-up made lives as long as the process: the collector need not look at it again.
gc.freeze()
