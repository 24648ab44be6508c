"""A student who buys: somebody with an account, an open session and perhaps credits."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from domain.accounts.callers import Buyer
from domain.credits.ledger import Entry, enter
from domain.ids import fingerprint, new_secret
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.world import FORM


@dataclass
class Student(Guest):
    @cached_property
    def user_id(self) -> UUID:
        return self.world.school.user(self.email)

    @property
    def buyer(self) -> Buyer:
        return Buyer.student(self.user_id)

    @cached_property
    def browser(self) -> Browser:
        now, token = self.world.clock(), new_secret()
        self.world.connection.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at) VALUES (%s, %s, %s, %s)",
            (fingerprint(token), self.user_id, now - timedelta(days=1), now + timedelta(days=30)),
        )
        return Browser(self.world.clock, {"__Host-session": token})

    def has_credits(self, amount: str) -> Self:
        """An administrator adds to the balance, or takes from it."""
        reason = "Geste commercial"
        entry = Entry(
            self.user_id, Decimal(amount), "admin_adjustment", reason=reason, created_by=self.user_id
        )
        enter(self.world.connection, entry, self.world.clock())
        return self

    def sends_form(self, **changes: Any) -> Answer:
        """POST /v1/checkout; an account is not asked of those who have one."""
        return self.browser.post("/v1/checkout", {"billing": FORM["billing"]} | changes)

    def starts(self, **changes: Any) -> Self:
        answer = self.sends_form(**changes)
        assert answer.status == 201, answer.text
        self.started = answer.body
        return self

    @property
    def account(self) -> tuple[Decimal, Decimal]:
        """The balance, and what open payments have reserved of it."""
        rows = self.world.rows(
            "SELECT balance_cad, reserved_cad FROM credit_accounts WHERE user_id = %s", self.user_id
        )
        return (rows[0]["balance_cad"], rows[0]["reserved_cad"]) if rows else (Decimal(0), Decimal(0))

    @property
    def ledger(self) -> list[tuple[str, Decimal]]:
        """Every movement but what administrators gave."""
        rows = self.world.rows(
            "SELECT type::text, amount_cad FROM credit_transactions"
            " WHERE user_id = %s AND type <> 'admin_adjustment' ORDER BY created_at, amount_cad",
            self.user_id,
        )
        return [(row["type"], row["amount_cad"]) for row in rows]
