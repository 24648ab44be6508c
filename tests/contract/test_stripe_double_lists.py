"""Lists and their pages. Source: docs.stripe.com/api/pagination."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stripe_double import StripeDouble

Make = Callable[..., stripe.PaymentIntent]


def ids(objects: Any) -> list[str]:
    return [found.id for found in objects]


def test_the_newest_comes_first(client: stripe.StripeClient, new_intent: Make) -> None:
    made = [new_intent().id for _ in range(3)]

    listed = client.v1.payment_intents.list()

    assert ids(listed.data) == made[::-1]
    assert listed.has_more is False


def test_a_page_holds_ten_unless_told(client: stripe.StripeClient, new_intent: Make) -> None:
    for _ in range(11):
        new_intent()

    listed = client.v1.payment_intents.list()

    assert (len(listed.data), listed.has_more) == (10, True)


def test_cursors_walk_both_ways(client: stripe.StripeClient, new_intent: Make) -> None:
    a, b, c, d = [new_intent().id for _ in range(4)][::-1]

    after = client.v1.payment_intents.list({"starting_after": a, "limit": 2})
    last = client.v1.payment_intents.list({"starting_after": c, "limit": 2})
    before = client.v1.payment_intents.list({"ending_before": d, "limit": 2})

    assert (ids(after.data), after.has_more) == ([b, c], True)
    assert (ids(last.data), last.has_more) == ([d], False)
    assert (ids(before.data), before.has_more) == ([b, c], True)


def test_the_library_walks_all_pages(client: stripe.StripeClient, new_intent: Make) -> None:
    made = [new_intent().id for _ in range(7)]

    assert ids(client.v1.payment_intents.list({"limit": 2}).auto_paging_iter()) == made[::-1]


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_a_size(client: stripe.StripeClient, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.list({"limit": limit})

    assert refusal.value.param == "limit"


def test_a_cursor_must_exist(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.list({"starting_after": "pi_nobody"})

    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "starting_after")


def test_intents_of_a_customer(client: stripe.StripeClient, new_intent: Make) -> None:
    ana, bea = (client.v1.customers.create({"name": name}).id for name in ("Ana", "Béa"))
    hers = new_intent(customer=ana)
    new_intent(customer=bea)
    new_intent()

    assert ids(client.v1.payment_intents.list({"customer": ana}).data) == [hers.id]


def test_intents_of_a_period(client: stripe.StripeClient, new_intent: Make, stripe_clock: Any) -> None:
    old = new_intent()
    stripe_clock.advance(3600)
    new = new_intent()

    def created(bounds: Any) -> list[str]:
        return ids(client.v1.payment_intents.list({"created": bounds}).data)

    assert created({"gte": new.created}) == [new.id]
    assert created({"lt": new.created}) == [old.id]
    assert created({"gt": old.created, "lte": new.created}) == [new.id]
    assert created(old.created) == [old.id]


def test_charges_and_refunds_of_a_payment(client: stripe.StripeClient, pay: Make) -> None:
    mine, other = pay(), pay()
    for intent in (mine, other):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})

    assert ids(client.v1.charges.list({"payment_intent": mine.id}).data) == [mine.latest_charge]
    (refund,) = client.v1.refunds.list({"payment_intent": mine.id}).data
    assert ids(client.v1.refunds.list({"charge": str(mine.latest_charge)}).data) == [refund.id]


def test_events_by_type(client: stripe.StripeClient, pay: Make) -> None:
    pay()

    def types(**params: Any) -> list[str]:
        return [event.type for event in client.v1.events.list(params).data]  # type: ignore[arg-type]

    assert types(type="payment_intent.succeeded") == ["payment_intent.succeeded"]
    assert types(type="payment_intent.*") == ["payment_intent.succeeded", "payment_intent.created"]
    assert types(types=["charge.succeeded", "charge.failed"]) == ["charge.succeeded"]


def test_events_not_delivered_yet(
    double: StripeDouble, client: stripe.StripeClient, new_intent: Make
) -> None:
    new_intent()
    double.webhooks.take()
    new_intent()

    waiting = client.v1.events.list({"delivery_success": False}).data

    assert len(waiting) == 1
    assert len(client.v1.events.list({"delivery_success": True}).data) == 1
