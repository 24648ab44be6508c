"""The life of a payment intent. Sources: docs.stripe.com/payments/paymentintents/lifecycle, docs.stripe.com/testing."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble
from tests.contract.conftest import call

Make = Callable[..., stripe.PaymentIntent]


def test_an_intent_waits_for_a_payment_method(new_intent: Make, told: Callable[[], list[str]]) -> None:
    intent = new_intent(metadata={"cart": "7"}, description="Trois séances", receipt_email="ana@exemple.ca")

    assert intent.status == "requires_payment_method"
    assert (intent.amount, intent.currency, intent.amount_received) == (4500, "cad", 0)
    assert intent.metadata.to_dict() == {"cart": "7"}
    assert intent.description == "Trois séances"
    assert intent.receipt_email == "ana@exemple.ca"
    assert intent.payment_method_types == ["card"]
    assert intent.client_secret is not None
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    assert told() == ["payment_intent.created"]


def test_an_intent_with_a_payment_method_waits_for_confirmation(new_intent: Make) -> None:
    assert new_intent(payment_method="pm_card_visa").status == "requires_confirmation"


@pytest.mark.parametrize(("card", "last4"), [("pm_card_visa", "4242"), ("pm_card_mastercard", "4444")])
def test_confirming_with_a_good_card_pays(
    client: stripe.StripeClient, new_intent: Make, told: Callable[[], list[str]], card: str, last4: str
) -> None:
    intent = new_intent()

    paid = client.v1.payment_intents.confirm(
        intent.id, {"payment_method": card, "expand": ["latest_charge", "payment_method"]}
    )

    assert (paid.status, paid.amount_received) == ("succeeded", 4500)
    charge: Any = paid.latest_charge
    assert (charge.amount, charge.amount_captured, charge.status, charge.paid) == (
        4500,
        4500,
        "succeeded",
        True,
    )
    assert charge.payment_intent == intent.id
    assert charge.outcome.network_status == "approved_by_network"
    assert charge.payment_method_details.card.last4 == last4
    method: Any = paid.payment_method
    assert (method.id[:3], method.card.last4) == ("pm_", last4)
    assert told() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_the_charge_reaches_the_balance_a_little_later(
    double: StripeDouble, client: stripe.StripeClient, pay: Make, stripe_clock: Any
) -> None:
    charge = str(pay().latest_charge)
    assert client.v1.charges.retrieve(charge).balance_transaction is None

    stripe_clock.advance(60)
    double.run_due()

    assert str(client.v1.charges.retrieve(charge).balance_transaction).startswith("txn_")
    assert double.all("event")[-1]["type"] == "charge.updated"
    assert double.all("event")[-1]["data"]["previous_attributes"] == {"balance_transaction": None}


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ],
)
def test_a_declined_card_is_a_402_and_the_intent_starts_over(
    client: stripe.StripeClient,
    new_intent: Make,
    told: Callable[[], list[str]],
    card: str,
    code: str,
    decline_code: str | None,
) -> None:
    intent = new_intent()

    with pytest.raises(stripe.CardError) as refusal:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card})

    error: Any = refusal.value.error
    assert refusal.value.http_status == 402
    assert (error.type, error.code, error.decline_code) == ("card_error", code, decline_code)
    assert error.payment_intent.id == intent.id
    after = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (after.status, after.payment_method, after.amount_received) == ("requires_payment_method", None, 0)
    last: Any = after.last_payment_error
    assert (last.code, last.to_dict().get("decline_code"), last.payment_method_type) == (
        code,
        decline_code,
        "card",
    )
    charge: Any = after.latest_charge
    assert (charge.id, charge.status, charge.paid) == (error.charge, "failed", False)
    assert charge.failure_code == code
    assert told() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_after_a_decline_another_card_pays_the_same_intent(
    client: stripe.StripeClient, new_intent: Make
) -> None:
    intent = new_intent()
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})

    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 2


def test_a_declined_intent_made_and_confirmed_at_once_exists(client: stripe.StripeClient, pay: Make) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        pay("pm_card_chargeDeclined")

    error: Any = refusal.value.error
    assert client.v1.payment_intents.retrieve(error.payment_intent.id).status == "requires_payment_method"


class TestThreeDSecure:
    CARD = "pm_card_authenticationRequired"

    def test_the_bank_asks_for_the_customer_first(self, pay: Make, told: Callable[[], list[str]]) -> None:
        intent = pay(self.CARD)

        assert intent.status == "requires_action"
        assert intent.next_action is not None
        assert intent.next_action.type == "use_stripe_sdk"
        assert (intent.latest_charge, intent.amount_received) == (None, 0)
        assert told()[-1] == "payment_intent.requires_action"

    def test_with_a_return_url_the_customer_is_redirected(self, pay: Make) -> None:
        action: Any = pay(self.CARD, return_url="https://exemple.ca/retour").next_action

        assert action.type == "redirect_to_url"
        assert action.redirect_to_url.return_url == "https://exemple.ca/retour"

    def test_authenticating_pays(
        self, double: StripeDouble, client: stripe.StripeClient, pay: Make, told: Callable[[], list[str]]
    ) -> None:
        intent = pay(self.CARD)

        call(
            "POST",
            f"{double.url}/_double/payment_intents/{intent.id}/authenticate",
            data={"outcome": "succeed"},
        )

        after = client.v1.payment_intents.retrieve(intent.id)
        assert (after.status, after.next_action, after.amount_received) == ("succeeded", None, 4500)
        assert told()[-2:] == ["charge.succeeded", "payment_intent.succeeded"]

    def test_failing_to_authenticate_starts_over_without_a_charge(
        self, double: StripeDouble, client: stripe.StripeClient, pay: Make, told: Callable[[], list[str]]
    ) -> None:
        intent = pay(self.CARD)

        double.dashboard.authenticate(intent.id, "fail")

        after = client.v1.payment_intents.retrieve(intent.id)
        assert (after.status, after.latest_charge) == ("requires_payment_method", None)
        assert after.last_payment_error is not None
        assert after.last_payment_error.code == "payment_intent_authentication_failure"
        assert told()[-1] == "payment_intent.payment_failed"

    def test_a_card_may_be_declined_after_authentication(
        self, double: StripeDouble, client: stripe.StripeClient, pay: Make
    ) -> None:
        intent = pay("pm_card_threeDSecureRequiredChargeDeclined")

        double.dashboard.authenticate(intent.id, "succeed")

        after = client.v1.payment_intents.retrieve(intent.id)
        assert after.status == "requires_payment_method"
        assert after.last_payment_error is not None
        assert after.last_payment_error.code == "card_declined"

    def test_it_can_be_cancelled_meanwhile(self, client: stripe.StripeClient, pay: Make) -> None:
        canceled = client.v1.payment_intents.cancel(pay(self.CARD).id)

        assert (canceled.status, canceled.next_action) == ("canceled", None)


class TestProcessing:
    @pytest.fixture
    def processing(self, double: StripeDouble, pay: Make) -> stripe.PaymentIntent:
        double.dashboard.let_bank_answer("later")
        return pay()

    def test_the_bank_may_answer_later(
        self, processing: stripe.PaymentIntent, told: Callable[[], list[str]]
    ) -> None:
        assert (processing.status, processing.latest_charge) == ("processing", None)
        assert told() == ["payment_intent.created", "payment_intent.processing"]

    def test_and_accept(
        self, double: StripeDouble, client: stripe.StripeClient, processing: stripe.PaymentIntent
    ) -> None:
        double.dashboard.conclude(processing.id)

        assert client.v1.payment_intents.retrieve(processing.id).status == "succeeded"

    def test_or_refuse(
        self, double: StripeDouble, client: stripe.StripeClient, processing: stripe.PaymentIntent
    ) -> None:
        double.dashboard.conclude(processing.id, "fail")

        after = client.v1.payment_intents.retrieve(processing.id)
        assert after.status == "requires_payment_method"
        assert double.all("event")[-1]["type"] == "payment_intent.payment_failed"

    @pytest.mark.parametrize("operation", ["cancel", "confirm"])
    def test_nothing_can_be_done_meanwhile(
        self, client: stripe.StripeClient, processing: stripe.PaymentIntent, operation: str
    ) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            getattr(client.v1.payment_intents, operation)(processing.id)

        assert refusal.value.code == "payment_intent_unexpected_state"


class TestTheEndOfAnIntent:
    def test_cancelling_says_when_and_why(
        self, client: stripe.StripeClient, new_intent: Make, told: Callable[[], list[str]]
    ) -> None:
        canceled = client.v1.payment_intents.cancel(new_intent().id, {"cancellation_reason": "abandoned"})

        assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
        assert canceled.canceled_at is not None
        assert told()[-1] == "payment_intent.canceled"

    @pytest.mark.parametrize("operation", ["cancel", "confirm"])
    def test_a_paid_intent_can_be_neither_confirmed_nor_cancelled(
        self, double: StripeDouble, client: stripe.StripeClient, pay: Make, operation: str
    ) -> None:
        intent = pay()
        events = len(double.all("event"))

        with pytest.raises(stripe.InvalidRequestError) as refusal:
            getattr(client.v1.payment_intents, operation)(intent.id)

        error: Any = refusal.value.error
        assert (refusal.value.http_status, error.code) == (400, "payment_intent_unexpected_state")
        assert error.payment_intent.status == "succeeded"
        assert len(double.all("charge")) == 1
        assert len(double.all("event")) == events

    @pytest.mark.parametrize("operation", ["cancel", "confirm"])
    def test_nor_can_a_cancelled_one(
        self, client: stripe.StripeClient, new_intent: Make, operation: str
    ) -> None:
        intent = client.v1.payment_intents.cancel(new_intent(payment_method="pm_card_visa").id)

        with pytest.raises(stripe.InvalidRequestError) as refusal:
            getattr(client.v1.payment_intents, operation)(intent.id)

        assert refusal.value.code == "payment_intent_unexpected_state"

    def test_confirming_needs_a_payment_method(self, client: stripe.StripeClient, new_intent: Make) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.payment_intents.confirm(new_intent().id)

        assert refusal.value.code == "payment_intent_unexpected_state"


class TestUpdating:
    def test_an_open_intent_takes_new_values(self, client: stripe.StripeClient, new_intent: Make) -> None:
        intent = new_intent(metadata={"cart": "7", "version": "1"})
        customer = client.v1.customers.create()

        updated = client.v1.payment_intents.update(
            intent.id,
            {
                "amount": 9000,
                "customer": customer.id,
                "metadata": {"version": "2", "cart": ""},
                "receipt_email": "ana@exemple.ca",
            },
        )

        assert (updated.amount, updated.customer) == (9000, customer.id)
        assert updated.metadata.to_dict() == {"version": "2"}
        assert updated.receipt_email == "ana@exemple.ca"

    def test_giving_a_payment_method_makes_it_ready_to_confirm(
        self, client: stripe.StripeClient, new_intent: Make
    ) -> None:
        updated = client.v1.payment_intents.update(new_intent().id, {"payment_method": "pm_card_visa"})

        assert updated.status == "requires_confirmation"
        assert client.v1.payment_intents.confirm(updated.id).status == "succeeded"

    def test_any_update_forgets_the_last_error(self, client: stripe.StripeClient, new_intent: Make) -> None:
        intent = new_intent()
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})

        assert client.v1.payment_intents.update(intent.id, {"description": "x"}).last_payment_error is None

    def test_a_new_amount_voids_the_authentication_under_way(
        self, client: stripe.StripeClient, pay: Make
    ) -> None:
        intent = pay("pm_card_authenticationRequired")

        updated = client.v1.payment_intents.update(intent.id, {"amount": 9000})

        assert (updated.status, updated.next_action) == ("requires_confirmation", None)

    @pytest.mark.parametrize(
        "change", [{"amount": 1}, {"currency": "usd"}, {"payment_method": "pm_card_visa"}]
    )
    def test_what_was_paid_cannot_change(
        self, client: stripe.StripeClient, pay: Make, change: dict[str, Any]
    ) -> None:
        intent = pay()

        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.payment_intents.update(intent.id, change)  # type: ignore[arg-type]

        assert (refusal.value.code, refusal.value.param) == (
            "payment_intent_unexpected_state",
            next(iter(change)),
        )
        assert client.v1.payment_intents.retrieve(intent.id).amount == 4500

    def test_but_its_notes_can(self, client: stripe.StripeClient, pay: Make) -> None:
        updated = client.v1.payment_intents.update(pay().id, {"metadata": {"order": "12"}})

        assert (updated.status, updated.metadata.to_dict()) == ("succeeded", {"order": "12"})


class TestDisputes:
    def test_a_card_that_disputes_pays_first(
        self, client: stripe.StripeClient, pay: Make, told: Callable[[], list[str]]
    ) -> None:
        intent = pay("pm_card_createDispute")

        assert intent.status == "succeeded"
        assert client.v1.charges.retrieve(str(intent.latest_charge)).disputed
        assert told()[2:4] == ["payment_intent.succeeded", "charge.dispute.created"]

    @pytest.mark.parametrize(
        ("outcome", "last"),
        [("won", "charge.dispute.funds_reinstated"), ("lost", "charge.dispute.closed")],
    )
    def test_the_bank_closes_it(
        self, double: StripeDouble, pay: Make, told: Callable[[], list[str]], outcome: Any, last: str
    ) -> None:
        dispute = double.dashboard.open_dispute(pay().id)

        closed = double.dashboard.close_dispute(dispute["id"], outcome)

        assert closed["status"] == outcome
        assert "charge.dispute.closed" in told()
        assert told()[-1] == last


def test_without_allowed_types_the_dashboard_decides_and_redirects_need_a_return_url(
    client: stripe.StripeClient,
) -> None:
    intent = client.v1.payment_intents.create({"amount": 4500, "currency": "cad"})
    assert intent.payment_method_types == ["card", "link"]

    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    back = {"payment_method": "pm_card_visa", "return_url": "https://exemple.ca/retour"}
    assert client.v1.payment_intents.confirm(intent.id, back).status == "succeeded"  # type: ignore[arg-type]


def test_customers_keep_what_they_are_given(
    client: stripe.StripeClient, told: Callable[[], list[str]]
) -> None:
    made = client.v1.customers.create(
        {"email": "ana@exemple.ca", "name": "Ana Roy", "metadata": {"user": "3"}}
    )

    client.v1.customers.update(made.id, {"name": "Ana Roy-Gagné", "address": {"city": "Laval"}})

    kept = client.v1.customers.retrieve(made.id)
    assert (kept.email, kept.name) == ("ana@exemple.ca", "Ana Roy-Gagné")
    assert kept.address is not None
    assert (kept.address.city, kept.address.country) == ("Laval", None)
    assert kept.metadata is not None
    assert kept.metadata.to_dict() == {"user": "3"}
    assert told() == ["customer.created", "customer.updated"]


def test_a_customer_is_made_once_under_one_key(client: stripe.StripeClient) -> None:
    ana: Any = {"email": "ana@exemple.ca", "name": "Ana Roy"}
    made = client.v1.customers.create(ana, {"idempotency_key": "customer:3"})

    assert client.v1.customers.create(ana, {"idempotency_key": "customer:3"}).id == made.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create(ana | {"name": "Ana Gagné"}, {"idempotency_key": "customer:3"})


def test_a_customer_needs_an_email_that_is_one(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid email address: ana") as refused:
        client.v1.customers.create({"email": "ana"})
    assert (refused.value.code, refused.value.param) == ("email_invalid", "email")


def test_a_customer_who_is_unknown_cannot_be_read_nor_pay(
    client: stripe.StripeClient, new_intent: Make
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_nobody'") as unread:
        client.v1.customers.retrieve("cus_nobody")
    assert (unread.value.http_status, unread.value.code) == (404, "resource_missing")

    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_nobody'") as unpaid:
        new_intent(customer="cus_nobody")
    assert (unpaid.value.http_status, unpaid.value.param) == (400, "customer")


def test_a_customer_who_was_deleted_can_be_read_as_such_and_pays_no_more(
    client: stripe.StripeClient, new_intent: Make, told: Callable[[], list[str]]
) -> None:
    ana = client.v1.customers.create({"name": "Ana Roy"}, {"idempotency_key": "customer:3"}).id
    old = new_intent(customer=ana)

    assert client.v1.customers.delete(ana).to_dict() == {"id": ana, "object": "customer", "deleted": True}

    assert client.v1.customers.retrieve(ana).to_dict() == {"id": ana, "object": "customer", "deleted": True}
    assert client.v1.payment_intents.retrieve(old.id).customer == ana
    with pytest.raises(stripe.InvalidRequestError, match=f"No such customer: '{ana}'") as unpaid:
        new_intent(customer=ana)
    assert (unpaid.value.http_status, unpaid.value.code, unpaid.value.param) == (
        400,
        "resource_missing",
        "customer",
    )
    for ask in (client.v1.customers.delete, client.v1.customers.update):
        with pytest.raises(stripe.InvalidRequestError, match=f"No such customer: '{ana}'") as gone:
            ask(ana)
        assert (gone.value.http_status, gone.value.code) == (404, "resource_missing")
    again = client.v1.customers.create({"name": "Ana Roy"}, {"idempotency_key": "customer:3"})
    assert again.id == ana  # what was answered to a key stays the answer
    assert told() == ["customer.created", "payment_intent.created", "customer.deleted"]


def test_an_event_names_the_request_that_caused_it(
    double: StripeDouble, client: stripe.StripeClient, new_intent: Make
) -> None:
    intent = new_intent()
    event = client.v1.events.retrieve(double.all("event")[0]["id"])

    assert event.type == "payment_intent.created"
    assert event.api_version == stripe.api_version
    assert event.request is not None
    assert (event.request.id, event.request.idempotency_key) == (
        double.calls[0].request_id,
        double.calls[0].idempotency_key,
    )
    assert event.data.object["id"] == intent.id


def test_an_event_is_a_snapshot(double: StripeDouble, client: stripe.StripeClient, new_intent: Make) -> None:
    intent = new_intent()
    client.v1.payment_intents.update(intent.id, {"amount": 9000})

    assert double.all("event")[0]["data"]["object"]["amount"] == 4500
