"""Events: what happened, in order. Source: https://docs.stripe.com/api/events."""

from fnmatch import fnmatchcase

from local.stripe_double.forms import Params
from local.stripe_double.lists import page
from local.stripe_double.sandbox import Resource, Sandbox


def retrieve(sandbox: Sandbox, params: Params, event: str) -> Resource:
    """The event as it was told."""
    return sandbox.get("event", event)


def listing(sandbox: Sandbox, params: Params) -> Resource:
    """Events, newest first, of one `type` (`charge.*` works) or several `types`, delivered or not."""
    patterns = [params["type"]] if "type" in params else params.get("types", ["*"])
    delivered = params.get("delivery_success")

    def matches(event: Resource) -> bool:
        return any(fnmatchcase(event["type"], pattern) for pattern in patterns) and (
            delivered is None or delivered == (event["pending_webhooks"] == 0)
        )

    return page(sandbox, "event", params, "/v1/events", matches=matches)
