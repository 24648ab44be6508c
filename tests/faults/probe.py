"""Whether the service is back: somebody who has never been there puts a session in a cart and takes it out again."""

from tests.faults.buyer import COURSES
from tests.faults.client import Client


class Probe:
    """Tries once a call, and never rests."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def succeeds(self) -> bool:
        client = self._client
        client.cookies.clear()
        slug, day = client.dice.choice(COURSES), client.dice.choice(client.owner.days)
        course = client.once("GET", "/v1/courses/{slug}", slug=slug)
        slots = client.once("GET", "/v1/courses/{slug}/slots", query={"date": day.isoformat()}, slug=slug)
        if course.status != 200 or slots.status != 200 or not slots.body["slots"]:
            return False
        item = {
            "course_id": course.body["id"],
            "start": client.dice.choice(slots.body["slots"])["start"],
            "duration_min": slots.body["duration_min"],
        }
        added = client.once("POST", "/v1/cart/items", {"items": [item]})
        if added.status != 201:
            return False
        taken = client.once("DELETE", "/v1/cart/items/{item_id}", item_id=added.body["items"][0]["id"])
        return taken.status == 200
