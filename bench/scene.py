"""A school with a past, at one instant: who is in it, and what everybody there can do while somebody watches."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from bench.history import Cast
from bench.watch import Watch
from domain.clock import TORONTO
from domain.ids import fingerprint, new_secret
from tests.support.booked import book
from tests.support.browser import Answer, Browser
from tests.support.people import PASSWORD, hashed
from tests.support.world import World, wanted

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Scene:
    """`student` has been there from the beginning. `free` are the times that nobody has taken yet."""

    world: World
    watch: Watch
    cast: Cast

    def __post_init__(self) -> None:
        noon = self.now.astimezone(TORONTO)
        self.free = (noon.replace(hour=hour) + day * DAY for day, hour in product(range(3, 58), range(9, 17)))
        self.student = self.cast.students[0]
        self.email = self.world.rows("SELECT email FROM users WHERE id = %s", self.student)[0]["email"]
        self.world.connection.execute(
            "UPDATE users SET password_hash = %s WHERE id = %s", (hashed(PASSWORD), self.student)
        )
        self.world.school.coupon("RABAIS")
        self.world.connection.execute(
            "INSERT INTO credit_transactions (id, user_id, amount_cad, type, reason, created_by, created_at)"
            " VALUES (gen_random_uuid(), %s, 5000, 'admin_adjustment', 'Geste', %s, %s)",
            (self.student, self.cast.admin, self.now),
        )

    @property
    def now(self) -> datetime:
        return self.world.clock()

    def signed_in(self, user_id: UUID) -> Browser:
        """Another browser of somebody who has signed in."""
        token = new_secret()
        self.world.connection.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at) VALUES (%s, %s, %s, %s)",
            (fingerprint(token), user_id, self.now, self.now + 30 * DAY),
        )
        return Browser(self.world.clock, {"__Host-session": token})

    def adds(self, browser: Browser) -> dict[str, Any]:
        """Put the next free time in a cart; answers the cart."""
        session = wanted(self.cast.course, next(self.free))
        cart: dict[str, Any] = got(browser.post("/v1/cart/items", {"items": [session]}), 201).body
        return cart

    def books(self, tutor: UUID, *starts: datetime) -> list[UUID]:
        """The student has sessions then, paid nine days ago."""
        return book(self.world.connection, self.student, tutor, self.cast.course, starts, self.now - 9 * DAY)

    def hears(self, errand: str, kind: str) -> None:
        """What Stripe tells of that kind, each a run of that errand."""
        for message in self.world.stripe.webhooks.take(kind):
            with self.watch.over(errand):
                got(self.world.deliver(message))


def got(answer: Answer, status: int = 200) -> Answer:
    """The answer, which is not a refusal."""
    assert answer.status == status, answer.text
    return answer
