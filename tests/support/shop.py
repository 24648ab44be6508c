"""A shop with one course at 45.00 CAD an hour and Mme Roy, free from nine to five every day."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.ids import fingerprint, new_secret
from tests.support.browser import Answer, Browser
from tests.support.world import World, toronto, wanted

SLUG = "francais-secondaire"
NINE = toronto(20, 9)


@dataclass
class Shop:
    world: World
    course: UUID = field(init=False)
    mme_roy: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.course = self.world.school.course(SLUG)
        self.mme_roy = self.world.school.tutor(self.course, name="Mme Roy", priority=10)

    def m_caron(self, priority: int = 100) -> UUID:
        """A second tutor of the course."""
        return self.world.school.tutor(self.course, name="M. Caron", priority=priority)

    def guest(self) -> Browser:
        return self.world.browser()

    def signed_in(
        self,
        email: str = "zoe@exemple.ca",
        role: str = "student",
        *,
        expires_at: datetime | None = None,
        revoked_at: datetime | None = None,
    ) -> Browser:
        """Somebody with an account and an open session."""
        now, token = self.world.clock(), new_secret()
        self.world.connection.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at, revoked_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (
                fingerprint(token),
                self.world.school.user(email, role),
                now - timedelta(days=1),
                expires_at or now + timedelta(days=1),
                revoked_at,
            ),
        )
        return Browser(self.world.clock, {"__Host-session": token})

    def wanted(
        self, hour: int = 9, minute: int = 0, minutes: int = 60, tutor: UUID | None = None, day: int = 20
    ) -> dict[str, Any]:
        return wanted(self.course, toronto(day, hour, minute), minutes, tutor)

    def add(self, browser: Browser, *sessions: dict[str, Any]) -> Answer:
        return browser.post("/v1/cart/items", {"items": list(sessions)})

    def added(self, browser: Browser, *sessions: dict[str, Any]) -> dict[str, Any]:
        """The cart once the sessions are in it."""
        answer = self.add(browser, *sessions)
        assert answer.status == 201, answer.text
        cart: dict[str, Any] = answer.body
        return cart

    def cart(self, browser: Browser) -> dict[str, Any]:
        answer = browser.get("/v1/cart")
        assert answer.status == 200, answer.text
        cart: dict[str, Any] = answer.body
        return cart

    def offers(self, start: datetime, minutes: int = 60) -> bool:
        """Whether the catalogue offers that time to a visitor."""
        answer = self.guest().get(
            f"/v1/courses/{SLUG}/slots", {"date": start.date().isoformat(), "duration": str(minutes)}
        )
        assert answer.status == 200, answer.text
        return start.isoformat() in {slot["start"] for slot in answer.body["slots"]}

    def claims(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT * FROM time_claims ORDER BY during")
