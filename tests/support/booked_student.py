"""A signed-in student with booked sessions: what they ask of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.world import World


@dataclass
class BookedStudent:
    """Who bought sessions as a guest and was signed in by the first settled answer."""

    world: World
    browser: Browser
    user_id: UUID

    @classmethod
    def of(
        cls,
        world: World,
        *sessions: dict[str, Any],
        coupon: str | None = None,
        email: str = "zoe@exemple.ca",
    ) -> Self:
        guest = Guest(world, email).chooses(*sessions)
        if coupon:
            guest.uses_coupon(coupon)
        guest.starts().pays()
        assert [answer.status for answer in world.webhooks()] == [200]
        settled = guest.asks()
        assert settled.body["status"] == "settled", settled.text
        user_id = world.rows("SELECT id FROM users WHERE email = %s", email)[0]["id"]
        return cls(world, guest.browser, user_id)

    def appointments(self, which: str = "all", **query: str) -> list[dict[str, Any]]:
        answer = self.browser.get("/v1/appointments", {"filter": which, **query})
        assert answer.status == 200, answer.text
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    @property
    def appointment_id(self) -> str:
        """The first of their sessions."""
        return str(self.appointments()[0]["id"])

    def shows(self, appointment_id: str | None = None) -> dict[str, Any]:
        answer = self.browser.get(f"/v1/appointments/{appointment_id or self.appointment_id}")
        assert answer.status == 200, answer.text
        body: dict[str, Any] = answer.body
        return body

    def cancels(self, appointment_id: str | None = None, **body: Any) -> Answer:
        return self.browser.post(f"/v1/appointments/{appointment_id or self.appointment_id}/cancel", body)

    def moves_to(self, start: datetime, appointment_id: str | None = None, **changes: Any) -> Answer:
        body = {"start": start.isoformat(), "reason": "Conflit d'horaire"} | changes
        return self.browser.post(f"/v1/appointments/{appointment_id or self.appointment_id}/reschedule", body)

    def could_move_to(self, appointment_id: str | None = None, **query: str) -> Answer:
        return self.browser.get(
            f"/v1/appointments/{appointment_id or self.appointment_id}/reschedule-slots", query
        )

    def gets(self, path: str) -> Answer:
        answer = self.browser.get(path, host="api.exemple.ca")
        assert answer.status == 200, answer.text
        return answer
