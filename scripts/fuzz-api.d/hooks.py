"""What schemathesis cannot know of the gateway: pulls that wait would wait for nothing, and a number has many spellings."""

import schemathesis

WAIT_SECONDS_MAX = 0.05


@schemathesis.hook
def map_query(context, query):
    """A valid `wait` is shortened (it may be 30 seconds, and the run has less), and written as the contract says: in
    plain decimals. The gateway refuses exponents, as it does in every other number of a query."""
    wait = query.get("wait") if isinstance(query, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0 <= wait <= 30:
        query["wait"] = f"{abs(min(wait, WAIT_SECONDS_MAX)):.3f}"
    return query
