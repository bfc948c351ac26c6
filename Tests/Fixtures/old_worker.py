#!/usr/bin/env python3
"""A worker of the gateways before this one, in their words: what it sends is what their workers send, header by header.

    old_worker.py PORT fastapi|go "" | parcel | party  WORKER_ID TOKEN

`fastapi`: id in the query, times without a zone, posts without a body. `go`: id in a header, chunked bodies, times in
nanoseconds with an offset. Five tasks must be waiting. Prints one JSON object: the answer to each call, by name.
"""
import http.client
import json
import sys

PORT, STYLE, SURFACE, WORKER, TOKEN = int(sys.argv[1]), *sys.argv[2:6]
IS_GO = STYLE == "go"
PREFIX = "/internal" + (f"/{SURFACE}" if SURFACE else "")
HEADERS = {
    "fastapi": [("User-Agent", "python-requests/2.31.0"), ("Accept-Encoding", "gzip, deflate"), ("Accept", "*/*"),
                ("Connection", "keep-alive")],
    "go": [("User-Agent", "Go-http-client/1.1"), ("X-Worker-Id", WORKER), ("Accept-Encoding", "gzip")],
}[STYLE] + [("X-Worker-Token", TOKEN)]
TIME = "2026-02-04T12:00:00.123456789+02:00" if IS_GO else "2026-02-04T10:00:00.123456"

connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)


def call(method, path, body=None):
    query = "" if IS_GO else ("&" if "?" in path else "?") + f"worker_id={WORKER}"
    connection.putrequest(method, PREFIX + path + query, skip_accept_encoding=True)
    for name, value in HEADERS:
        connection.putheader(name, value)
    data = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        connection.putheader("Content-Type", "application/json")
    if IS_GO and body is not None:
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in (data[:7], data[7:]):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
    else:
        if method == "POST":
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data or None)
    answer = connection.getresponse()
    return {"status": answer.status, "body": json.loads(answer.read())}


def result(task):
    key = "party_id" if SURFACE == "party" else "parcel_id"
    return {"task_id": task["task_id"], key: task["task_id"], "platform": task["platform"], "state": "CO",
            "county": "Larimer", "data": {"owner": "Zoë", "tax": 2104.88}, "scraped_at": TIME, "parse_duration_ms": 12,
            "raw_html_hash": "abc", "worker_version": "1.4"}


saw = {"work": call("GET", "/work?capacity=5&platforms=beacon" + ("&platforms=qpublic" if IS_GO else ",qpublic"))}
tasks = saw["work"]["body"]["tasks"]
saw["heartbeat"] = call("POST", "/heartbeat", {
    "worker_id": WORKER, "status": "active", "timestamp": TIME, "active_tasks": len(tasks), "completed_last_minute": 0,
    "failed_last_minute": 0, "platforms": ["beacon", "qpublic"], "cpu_percent": 12, "memory_percent": 40.5})
saw["results"] = call("POST", "/results", {"results": [result(tasks[0])]} if IS_GO else [result(tasks[0])])
details = {"duration_ms": 1200, "bytes_downloaded": 48213, "fields_parsed": 42} if IS_GO else None
saw["complete"] = call("POST", f"/tasks/{tasks[1]['task_id']}/complete", details)
saw["complete again"] = call("POST", f"/tasks/{tasks[1]['task_id']}/complete", details)
# Neither style's client knew of attempts; a worker whose connection broke failed its task without a word.
saw["fail"] = call("POST", f"/tasks/{tasks[2]['task_id']}/fail")
saw["fail with a reason"] = call("POST", f"/tasks/{tasks[3]['task_id']}/fail", {"reason": "blocked", "message": "captcha"})
saw["fail for good"] = call("POST", f"/tasks/{tasks[4]['task_id']}/fail",
                            {"reason": "format_changed", "retry_suggested": False})
saw["idle"] = call("GET", "/work?capacity=5")
print(json.dumps(saw))
