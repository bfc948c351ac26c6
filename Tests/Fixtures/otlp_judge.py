#!/usr/bin/env python3
"""Reads OTLP/HTTP messages in JSON with OpenTelemetry's own protobuf definitions, and prints their spans.

    otlp_judge.py < MESSAGES    one ExportTraceServiceRequest a line; prints one span a line, as JSON

A member that the definitions do not know, or a value of another type, is an error. OTLP writes ids in hex where protobuf's
JSON has base64: they are turned into that, after a look at their length. Needs opentelemetry-proto.
"""

import base64
import json
import re
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ID_DIGITS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def with_base64(value):
    if isinstance(value, list):
        return [with_base64(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, entry in value.items():
        if name in ID_DIGITS:
            if not re.fullmatch(f"[0-9a-f]{{{ID_DIGITS[name]}}}", entry) or not entry.strip("0"):
                sys.exit(f"otlp_judge: not a {name}: {entry}")
            entry = base64.b64encode(bytes.fromhex(entry)).decode()
        made[name] = with_base64(entry)
    return made


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


def main():
    for line in sys.stdin:
        message = json_format.ParseDict(with_base64(json.loads(line)), ExportTraceServiceRequest())
        for resource in message.resource_spans:
            about = {entry.key: value_of(entry.value) for entry in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    print(json.dumps({
                        "service": about.get("service.name"), "scope": scope.scope.name, "name": span.name,
                        "kind": type(span).SpanKind.Name(span.kind), "trace": span.trace_id.hex(), "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(), "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano, "status": type(span.status).StatusCode.Name(span.status.code),
                        "message": span.status.message,
                        "attributes": {entry.key: str(value_of(entry.value)) for entry in span.attributes}}))


if __name__ == "__main__":
    main()
