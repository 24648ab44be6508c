"""What may become of an event on its way to Make.com: one table (make-webhooks b.7). PostgreSQL holds the same one
and refuses every other step.
"""

from collections.abc import Mapping
from typing import Literal, get_args

type Status = Literal[
    "pending", "enqueued", "delivering", "retrying", "held", "skipped", "delivered", "exhausted", "cancelled"
]
STATUSES: tuple[Status, ...] = get_args(Status.__value__)

WAITING: tuple[Status, ...] = ("pending", "retrying", "held", "enqueued")
"""Not with Make, and not given up."""
RESTING: tuple[Status, ...] = ("held", "skipped", "delivered", "exhausted", "cancelled")
"""Nothing happens to it until its endpoint resumes or a person acts."""

# fmt: off
STEPS: Mapping[Status, Mapping[Status, str]] = {
    "pending": {
        "enqueued": "the relay or a nudge puts it on the queue",
        "delivering": "a dispatcher takes it from an older message",
        "retrying": "its endpoint resumes",
        "held": "its endpoint is paused, or a replay is stopped",
        "skipped": "a replay is stopped",
        "delivered": "a replay is stopped",
        "exhausted": "a replay is stopped",
        "cancelled": "it expired, an administrator gave it up, or a replay is stopped",
    },
    "enqueued": {
        "pending": "the queue would not take it, its lane was busy, or an administrator sends it again",
        "delivering": "a dispatcher takes it",
        "retrying": "the queue would not take it, or its endpoint is left alone",
        "held": "its endpoint is paused, or a replay is stopped",
        "skipped": "no URL is configured, or a replay is stopped",
        "delivered": "an answer that came late, or a replay is stopped",
        "exhausted": "a replay is stopped",
        "cancelled": "it expired, an administrator gave it up, or a replay is stopped",
    },
    "delivering": {
        "pending": "its dispatcher died and an administrator sends it again",
        "enqueued": "its dispatcher died",
        "retrying": "refused",
        "held": "refused by a paused endpoint, or by a replay of what was held",
        "skipped": "a replay of what was skipped was refused",
        "delivered": "accepted",
        "exhausted": "refused for the last time, or a replay of what was exhausted was refused",
        "cancelled": "an administrator gave it up, or a replay of what was cancelled was refused",
    },
    "retrying": {
        "pending": "an administrator sends it again",
        "enqueued": "the relay puts it on the queue, or it is a canary",
        "delivering": "a dispatcher takes it from an older message",
        "held": "its endpoint is paused",
        "skipped": "no URL is configured",
        "delivered": "an answer that came late",
        "exhausted": "a replay is stopped",
        "cancelled": "it expired, or an administrator gave it up",
    },
    "held": {
        "pending": "an administrator sends it again",
        "enqueued": "its endpoint is in service, or it is a canary",
        "retrying": "its endpoint resumes",
        "skipped": "a replay of what was skipped is stopped, or it expired",
        "delivered": "an answer that came late, or a replay of what was delivered is stopped",
        "exhausted": "a replay of what was exhausted is stopped, or it expired",
        "cancelled": "it expired, or an administrator gave it up",
    },
    "skipped": {
        "pending": "an administrator sends it again",
        "delivered": "an answer that came late",
        "cancelled": "it expired",
    },
    "exhausted": {
        "pending": "an administrator sends it again",
        "delivered": "an answer that came late",
    },
    "delivered": {"pending": "an administrator sends it again"},
    "cancelled": {
        "pending": "an administrator sends it again",
        "delivered": "an answer that came late",
    },
}
# fmt: on
