"""What schemathesis cannot know of the gateway. Hooks by name; loaded by scripts/fuzz-api through SCHEMATHESIS_HOOKS."""

import schemathesis
from hypothesis import strategies

WAIT_SECONDS_MAX = 0.05
EXACT_MAX = 2**53

# Lines of tasks are text: sent as they are.
schemathesis.openapi.media_type("application/x-ndjson", strategies.sampled_from([
    b"", b"\n\n", b'{"task_id":"n-1","platform":"beacon","target":{}}\n', b'{"task_id":"n-2","platform":"","target":{}}', b"[",
    b'{"task_id":"n-3","platform":"beacon","target":{}}\r\nnull\n\xff\n']))


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def map_query(context, query):
    """A valid `wait` is shortened (it may be 30 seconds, and the run has less), and written as the contract says: in
    plain decimals. The gateway refuses exponents, as it does in every other number of a query."""
    wait = query.get("wait") if isinstance(query, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0 <= wait <= 30:
        query["wait"] = f"{abs(min(wait, WAIT_SECONDS_MAX)):.3f}"
    return query


def plain(value):
    """The same with 2.0 written as 2."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_MAX:
        return int(value)
    return value


@schemathesis.hook
def map_body(context, body):
    """To JSON Schema 2.0 is an integer; the gateway wants integers written as such, and says so in a 422."""
    return plain(body)
