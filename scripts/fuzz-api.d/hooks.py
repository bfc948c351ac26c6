"""What schemathesis cannot know of the gateway: pulls that wait would wait for nothing."""

import schemathesis

WAIT_SECONDS_MAX = 0.05


@schemathesis.hook
def map_query(context, query):
    """A valid `wait` is shortened: it may be up to 30 seconds, and the run has less."""
    wait = query.get("wait") if isinstance(query, dict) else None
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and WAIT_SECONDS_MAX < wait <= 30:
        query["wait"] = WAIT_SECONDS_MAX
    return query
