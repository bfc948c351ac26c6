"""What the page is tried on: a gateway of its own, private Redis and PostgreSQL, a demo upstream, a fleet at work.

All of it is on loopback and ends with `close`, or by the guard of scripts/services when this process is killed.
"""

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from devtools import Failure, wait_for

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPS_TOKEN, WORKER_TOKEN = "ops-token-of-the-page-test", "worker-token-of-the-page-test"
PLATFORMS = {"beacon": 34, "qpublic": 24, "treasurer": 14, "tyler-eagle": 9, "county-gis": 5}
REASONS = (
    ("format_changed", "no table with the id \"parcel-details\"; the layout of the page has changed"),
    ("blocked", "403 after 3 proxies: the site asks for a captcha"),
    ("parser_bug", "the sum of the certificates is not the amount due: 1,204.50 against 1,240.50"),
    ("network_error", "TLS handshake timed out after 30 s"),
)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Stage:
    def __init__(self, binary):
        self.binary = binary
        self.folder = tempfile.mkdtemp(prefix="ops-page-")
        self.services = os.path.join(self.folder, "services")
        self.children = []
        self.gateway = None
        self.port = free_port()
        self.log = open(os.path.join(self.folder, "log"), "ab")
        os.mkdir(self.services)
        self.guard = subprocess.Popen(
            [os.path.join(SCRIPTS, "services"), "guard", str(os.getpid()), self.services, "--purge"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        lines = self.run("services", "start", self.services).splitlines()
        facts = dict(line.split("=", 1) for line in lines if "=" in line)
        self.redis_url = facts["REDIS_URL"]
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | {
            "GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), "GATEWAY_REDIS_URL": self.redis_url,
            "GATEWAY_POSTGRES_URL": facts["POSTGRES_URL"], "GATEWAY_OPS_TOKENS": OPS_TOKEN,
            "GATEWAY_WORKER_TOKENS": WORKER_TOKEN, "GATEWAY_WORKER_RATE_PER_MINUTE": "0",
            "GATEWAY_RAW_STORAGE_URL": f"file://{self.folder}/raw", "GATEWAY_REAPER_INTERVAL_SECONDS": "1",
            "GATEWAY_IO_BACKEND": os.environ.get("GATEWAY_IO_BACKEND", "auto"),
            "GATEWAY_PROXIES": ",".join(f"socks5://10.0.0.{number}:1080{number % 10}" for number in range(1, 9))}
        if profile := os.environ.get("LLVM_PROFILE_FILE"):
            self.environment["LLVM_PROFILE_FILE"] = os.path.join(os.path.dirname(profile), "gateway-%p.profraw")
        upstream = subprocess.Popen(
            [os.path.join(SCRIPTS, "demo-upstream"), "--delay", "0.02"], stdout=subprocess.PIPE, text=True)
        self.children.append(upstream)
        for _ in range(2):
            name, url = upstream.stdout.readline().strip().split("=", 1)
            self.environment[f"GATEWAY_{name.replace('_URL', '_SERVICE_URL')}"] = url
        subprocess.run([binary, "migrate"], env=self.environment, check=True, stdout=self.log, stderr=self.log)
        key = subprocess.run(
            [binary, "api-key", "create", "--user", "page-test", "--tier", "enterprise"], env=self.environment,
            check=True, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.api_key = key.stdout.split()[-1]
        self.start_gateway()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self, script, *arguments):
        result = subprocess.run(
            [os.path.join(SCRIPTS, script), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise Failure(f"scripts/{script}: {result.stderr.strip()}")
        return result.stdout

    def redis(self, *command):
        port = self.redis_url.rsplit(":", 1)[1].split("/")[0]
        subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", port, *command], check=True, stdout=subprocess.DEVNULL)

    def start_gateway(self):
        self.gateway = subprocess.Popen([self.binary, "serve"], env=self.environment, stdout=self.log, stderr=self.log)
        wait_for("the gateway is ready", lambda: self.ask("GET", "/health/ready")[0] == 200)

    def stop_gateway(self):
        self.gateway.terminate()
        try:
            self.gateway.wait(60)
        except subprocess.TimeoutExpired:
            self.gateway.kill()
            self.gateway.wait()

    def ask(self, method, path, body=None, headers=None):
        """(status, answer) over a connection of its own; status 0 where there is no gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            return exchange(connection, method, path, body, headers or {})
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def ops(self, method, path, body=None):
        status, answer = self.ask(method, path, body, {"X-Ops-Token": OPS_TOKEN})
        if status not in (200, 202):
            raise Failure(f"{method} {path}: {status} {answer}")
        return answer

    def worker(self, name, method, path, body=None):
        return self.ask(method, path, body, {"X-Worker-Token": WORKER_TOKEN, "X-Worker-ID": name})

    def enqueue(self, tasks, kind="parcel"):
        return self.ops("POST", f"/internal/{kind}/tasks", tasks)

    def bury(self, task, platform="beacon", reason="parser_bug", message="no table", priority=3):
        """Makes a dead letter."""
        self.enqueue([{"task_id": task, "type": "scrape", "platform": f"bury-{platform}", "priority": priority,
                       "target": {"parcel_id": task, "state": "CO", "county": "Larimer"}}])
        status, answer = self.worker("undertaker", "GET", f"/internal/work?platforms=bury-{platform}")
        if [one["task_id"] for one in answer["tasks"]] != [task]:
            raise Failure(f"not pulled: {status} {answer}")
        status, answer = self.worker("undertaker", "POST", f"/internal/tasks/{task}/fail",
                                     {"reason": reason, "message": message, "retry_suggested": False})
        if not answer.get("moved_to_dlq"):
            raise Failure(f"not buried: {status} {answer}")

    def close(self):
        if self.gateway and self.gateway.poll() is None:
            self.stop_gateway()
        for child in self.children:
            child.terminate()
            child.wait()
        self.guard.terminate()
        self.guard.wait()
        subprocess.run([os.path.join(SCRIPTS, "services"), "stop", self.services, "--purge"], check=False)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def exchange(connection, method, path, body, headers):
    data = None if body is None else json.dumps(body).encode()
    connection.request(method, path, data, headers | ({"Content-Type": "application/json"} if data else {}))
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if content else None


class Fleet:
    """Workers that pull, submit, fail and say how they are, a producer and some readers. Ends with `close`.

    A gateway that goes away meanwhile is tried again. `pause_seconds` is how long each worker works on what it holds;
    `backlog` seconds of work wait from the beginning.
    """

    def __init__(self, stage, workers, pause_seconds, readers=2, fails=0.01, backlog=0):
        self.stage, self.pause_seconds, self.fails, self.backlog = stage, pause_seconds, fails, backlog
        self.ended = threading.Event()
        self.heard = {}
        self.threads = [threading.Thread(target=self.produce, daemon=True)]
        names = list(PLATFORMS)
        for number in range(workers):
            kind = "party" if number % 6 == 5 else "parcel"
            mine = [names[number % len(names)], names[(number + 1) % len(names)]]
            name = f"{'party' if kind == 'party' else 'parser'}-{'abc'[number % 3]}-{number // 3 + 1:02}"
            self.threads.append(threading.Thread(target=self.work, args=(name, kind, mine), daemon=True))
        for number in range(readers):
            self.threads.append(threading.Thread(target=self.read, args=(number,), daemon=True))
        for thread in self.threads:
            thread.start()

    def close(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(40)

    def loop(self, pause_seconds, turn):
        """Turn after turn over one connection; a gateway that is away ends nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.port, timeout=30)
        while not self.ended.wait(random.uniform(0.5, 1.5) * pause_seconds):
            try:
                turn(connection)
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
        connection.close()

    def produce(self):
        numbers = iter(range(1, 10 ** 9))

        def turn(connection):
            many, self.backlog = 1 + self.backlog, 0
            for kind, share in (("parcel", 5 * many), ("party", many)):
                tasks = [{"task_id": f"{kind}-{next(numbers)}-{os.getpid()}", "type": "scrape", "platform": platform,
                          "priority": random.choices((1, 2, 3, 4), (1, 3, 12, 6))[0], "tier": 1,
                          "target": {"parcel_id": str(1_600_000 + number), "state": "CO", "county": "Larimer"}}
                         for platform, weight in PLATFORMS.items()
                         for number in range(weight * share // 5 + random.randrange(3))]
                exchange(connection, "POST", f"/internal/{kind}/tasks", tasks, {"X-Ops-Token": OPS_TOKEN})

        self.loop(1.0, turn)

    def work(self, name, kind, platforms):
        headers = {"X-Worker-Token": WORKER_TOKEN, "X-Worker-ID": name}
        state = {"paused": False, "held": [], "done": 0, "failed": 0, "beat": 0.0, "cpu": random.uniform(15, 60),
                 "memory": random.uniform(30, 70)}

        def beat(connection, active):
            state["beat"] = time.monotonic()
            state["cpu"] = min(97, max(4, state["cpu"] + random.uniform(-6, 6)))
            status = {"active_tasks": active, "completed_last_minute": state["done"] % 60,
                      "failed_last_minute": state["failed"] % 4, "platforms": platforms,
                      "cpu_percent": round(state["cpu"], 1), "memory_percent": round(state["memory"], 1)}
            _, answer = exchange(connection, "POST", f"/internal/{kind}/heartbeat", status, headers)
            for command in (answer or {}).get("commands", []):
                self.heard.setdefault(name, []).append(command)
                if command in ("pause", "resume"):
                    state["paused"] = command == "pause"

        def turn(connection):
            if time.monotonic() - state["beat"] > 2:
                beat(connection, len(state["held"]))
            tasks, state["held"] = state["held"], []
            done = [task for task in tasks if random.random() >= self.fails]
            for task in tasks:
                if task not in done:
                    self.fail(connection, headers, kind, task, state)
            if done:
                results = [self.result(task, kind) for task in done]
                exchange(connection, "POST", f"/internal/{kind}/results", results, headers)
                state["done"] += len(done)
            if random.random() < 0.05:
                exchange(connection, "GET", f"/internal/{kind}/proxy/create?platform={platforms[0]}", None, headers)
            if not state["paused"]:
                path = f"/internal/{kind}/work?capacity={random.randrange(2, 6)}&platforms={','.join(platforms)}"
                status, answer = exchange(connection, "GET", path, None, headers)
                state["held"] = answer["tasks"] if status == 200 else []

        self.loop(self.pause_seconds, turn)

    def fail(self, connection, headers, kind, task, state):
        reason, message = random.choice(REASONS)
        body = {"reason": reason, "message": message, "retry_suggested": random.random() < 0.6}
        if reason == "blocked":
            body |= {"platform": task["platform"], "proxy_port": 10800 + random.randrange(1, 4)}
        exchange(connection, "POST", f"/internal/{kind}/tasks/{task['task_id']}/fail", body, headers)
        state["failed"] += 1

    @staticmethod
    def result(task, kind):
        return {"task_id": task["task_id"], f"{kind}_id": task["target"]["parcel_id"], "platform": task["platform"],
                "state": "CO", "county": "Larimer", "data": {"tax_due": 1204.5, "owner": "A. Example"},
                "parse_duration_ms": 40, "attempt": task["attempt"]}

    def read(self, number):
        source = random.Random(number)
        headers = {"X-API-Key": self.stage.api_key}

        def turn(connection):
            parcel = 1_615_500 + int(source.expovariate(0.02)) % 400
            path = source.choice((f"/v1/properties/{parcel}", f"/v1/properties/{parcel}", "/v1/search/owner?q=smith",
                                  "/v1/top-lists/yield"))
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()

        self.loop(0.7, turn)
