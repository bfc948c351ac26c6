#!/usr/bin/env python3
"""A whole worker in Python's standard library: pulls tasks, scrapes, submits results, says that it lives.

    GATEWAY_URL=http://127.0.0.1:8081 GATEWAY_WORKER_TOKEN=… examples/worker.py WORKER_ID PLATFORM…
"""
import http.client, itertools, json, os, random, signal, sys, threading, time, uuid  # noqa: E401
import urllib.error, urllib.parse, urllib.request  # noqa: E401

URL, TOKEN = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8081"), os.environ["GATEWAY_WORKER_TOKEN"]
WORKER, PLATFORMS = sys.argv[1], sys.argv[2:]
CAPACITY, WAIT_SECONDS, HEARTBEAT_SECONDS = 5, 10, float(os.environ.get("HEARTBEAT_SECONDS", "20"))

stopping, paused = threading.Event(), threading.Event()
held = {}  # Tasks that we were given and have not ended, by id.
ended = {"completed": 0, "failed": 0}


def call(method, path, body=None):
    """The gateway's answer. Every call may be repeated: we do, ever slower, as long as it is away or asks us to wait."""
    headers = {"X-Worker-Token": TOKEN, "X-Worker-ID": WORKER, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    for attempt in itertools.count():
        wait = min(0.5 * 2 ** min(attempt, 6), 30)
        try:
            request = urllib.request.Request(URL + path, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS + 20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 502, 503, 504):
                sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")
            wait = float(error.headers.get("Retry-After", wait))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # Not there, gone in the middle, or half an answer.
        if stopping.is_set() and attempt >= 5:
            sys.exit("the gateway is away; it gives our tasks to others")
        time.sleep(wait * random.uniform(1, 1.5))  # Spread, so that a fleet does not come back as one.


def heartbeats():
    """Our leases live while we are heard from. What we list is ours, what we do not list is given to others."""
    try:
        while not stopping.wait(HEARTBEAT_SECONDS * random.uniform(0.8, 1.2)):
            answer = call("POST", "/internal/heartbeat", {
                "active_tasks": len(held), "completed_last_minute": 0, "failed_last_minute": 0, "cpu_percent": 0,
                "memory_percent": 0, "platforms": PLATFORMS, "task_ids": list(held)})
            for task_id in answer["lost_task_ids"]:
                held.pop(task_id, None)  # Cancelled, or given to another worker.
            for command in answer["commands"]:
                {"pause": paused.set, "resume": paused.clear, "shutdown": stopping.set}.get(command, lambda: None)()
    finally:
        stopping.set()  # Without heartbeats there is no use in going on.


def scrape(task):
    """Stands for the real work: fetch `target`, parse it, return what was found (any JSON object)."""
    return {"parcel": task["target"]["parcel_id"], "tax": 2104.88}


def work(task):
    """Ends one task: by its result, or by a reason why there is none. `attempt` says which delivery we speak of."""
    begun, task_id, target, failure = time.monotonic(), task["task_id"], task["target"], None
    try:
        answer = call("POST", "/internal/results", [{
            "task_id": task_id, "attempt": task["attempt"], "data": scrape(task), "parcel_id": target["parcel_id"],
            "platform": task["platform"], "state": target["state"], "county": target["county"],
            "scraped_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "parse_duration_ms": round(1000 * (time.monotonic() - begun))}])
        failure = ("parser_bug", answer["errors"][0]) if answer["failed"] else None
    except OSError as error:
        failure = ("network_error", repr(error))
    except Exception as error:
        failure = ("parser_bug", repr(error))
    if failure:
        call("POST", f"/internal/tasks/{urllib.parse.quote(task_id, safe='')}/fail",
             {"reason": failure[0], "message": failure[1], "attempt": task["attempt"]})
    ended["failed" if failure else "completed"] += 1
    held.pop(task_id, None)


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=heartbeats, daemon=True).start()
    while not stopping.is_set():
        if paused.is_set():
            stopping.wait(1)
            continue
        # The id is the same however often the call is repeated: a lost answer comes again.
        query = {"capacity": CAPACITY, "wait": WAIT_SECONDS, "platforms": ",".join(PLATFORMS), "poll_id": uuid.uuid4().hex}
        answer = call("GET", "/internal/work?" + urllib.parse.urlencode(query))
        held.update((task["task_id"], task) for task in answer["tasks"])
        for task in answer["tasks"]:  # All of them, also when we are to stop: what we took we end.
            if task["task_id"] in held:
                work(task)
        if not answer["tasks"]:
            stopping.wait(answer["retry_after"])
    print(f"{WORKER}: {ended['completed']} completed, {ended['failed']} failed", flush=True)


if __name__ == "__main__":
    main()
