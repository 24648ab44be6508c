"""Where events go: each area's URL, its own or the fallback's, and the lanes that URLs are (make-webhooks c).

Loads nothing that posts: the relay needs no more than this.
"""

from adapters.settings import optional_setting
from domain.webhooks.delivery import EndpointMissing, Route, Routes
from domain.webhooks.event_types import AREAS, EVENTS, FALLBACK, url_setting


def url_of(area: str) -> str:
    """The URL of an area, a secret; empty without one."""
    return optional_setting(url_setting(area))


def has_url(area: str) -> bool:
    return bool(url_of(area))


def route(event_type: str) -> Route:
    """The area whose URL takes events of this type: its own, else the fallback's where one was promised (c.1).

    Raises EndpointMissing.
    """
    kind = EVENTS[event_type]
    if has_url(kind.endpoint):
        return Route(kind.endpoint, _lane(kind.endpoint))
    if kind.falls_back and has_url(FALLBACK):
        return Route(FALLBACK, _lane(FALLBACK))
    raise EndpointMissing(kind.endpoint)


def routes() -> Routes:
    """The route of every type of event that has one."""
    found = {}
    for event_type in EVENTS:
        try:
            found[event_type] = route(event_type)
        except EndpointMissing:
            continue
    return found


def events_per_second() -> int:
    """How many events leave for one URL in a second: Make takes 300 in ten, for all that is sent to it."""
    return int(optional_setting("WEBHOOK_EVENTS_PER_SECOND", "5"))


def _lane(area: str) -> str:
    """Areas with the same URL share a lane, which bears the name of the first of them."""
    return next(other for other in AREAS if url_of(other) == url_of(area))
