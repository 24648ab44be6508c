"""What happens at Stripe without our API: the dashboard's buttons, the customer's bank, the customer."""

import copy
from typing import Literal

from local.stripe_double import disputes, payments, refunds
from local.stripe_double.payments import Outcome
from local.stripe_double.sandbox import Resource, Sandbox


class Dashboard:
    """Acts on the sandbox directly. Events made here name no API request."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def authenticate(self, intent: str, outcome: Outcome = "succeed") -> Resource:
        """The customer passes or fails 3-D Secure; the payment goes on or fails."""
        with self._sandbox.lock:
            found = self._sandbox.get("payment_intent", intent)
            payments.authenticate(self._sandbox, found, outcome)
            return copy.deepcopy(found)

    def let_bank_answer(self, when: Literal["now", "later"]) -> None:
        """`later`: payments confirmed from now on stay in `processing` until `conclude`."""
        with self._sandbox.lock:
            self._sandbox.bank_answers_later = when == "later"

    def conclude(self, intent: str, outcome: Outcome | None = None) -> Resource:
        """End the `processing` of a payment: as asked, else as its card does."""
        with self._sandbox.lock:
            found = self._sandbox.get("payment_intent", intent)
            payments.conclude(self._sandbox, found, outcome)
            return copy.deepcopy(found)

    def refund(self, intent: str, amount: int | None = None) -> Resource:
        """Refund some cents, or all that is left, from the dashboard."""
        with self._sandbox.lock:
            params = {"payment_intent": intent} | ({} if amount is None else {"amount": amount})
            return copy.deepcopy(refunds.create(self._sandbox, params))

    def settle_refund(self, refund: str, outcome: Outcome) -> Resource:
        """The customer's bank takes a refund or sends it back."""
        with self._sandbox.lock:
            found = self._sandbox.get("refund", refund)
            refunds.settle(self._sandbox, found, outcome)
            return copy.deepcopy(found)

    def open_dispute(self, intent: str, reason: str = "fraudulent") -> Resource:
        """The customer disputes the payment with their bank."""
        with self._sandbox.lock:
            charge = self._sandbox.get("payment_intent", intent)["latest_charge"]
            found = self._sandbox.get("charge", charge or "")
            return copy.deepcopy(disputes.open_dispute(self._sandbox, found, reason))

    def open_inquiry(self, intent: str, reason: str = "fraudulent") -> Resource:
        """The customer's bank asks about the payment and takes nothing back yet."""
        with self._sandbox.lock:
            charge = self._sandbox.get("payment_intent", intent)["latest_charge"]
            found = self._sandbox.get("charge", charge or "")
            return copy.deepcopy(disputes.open_inquiry(self._sandbox, found, reason))

    def escalate(self, inquiry: str) -> Resource:
        """The bank disputes the payment it asked about."""
        with self._sandbox.lock:
            found = self._sandbox.get("dispute", inquiry)
            disputes.escalate(self._sandbox, found)
            return copy.deepcopy(found)

    def close_dispute(self, dispute: str, outcome: Literal["won", "lost"]) -> Resource:
        """The bank decides a dispute."""
        with self._sandbox.lock:
            found = self._sandbox.get("dispute", dispute)
            disputes.close_dispute(self._sandbox, found, outcome)
            return copy.deepcopy(found)
