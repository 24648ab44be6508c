"""Each operation that writes several rows writes all of them or none: when the last cannot be written, none stays."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.operations import OPERATIONS, TEN, Shop
from tests.support.people import PASSWORD, account, signed_in
from tests.support.tables import contents
from tests.support.victim import every_writer_of, writers
from tests.support.world import World, wanted

LAST = {
    "settle._settle": "INSERT ON outbox",
    "settle.settle_without_card": "INSERT ON outbox",
    "close.note_closed": "UPDATE OF intent_closed_at ON checkouts",
    "sign_in_buyer._enter": "INSERT ON auth_sessions",
    "sign_in._enter": "INSERT ON auth_sessions",
    "sign_in.sign_out": "UPDATE ON auth_sessions",
    "follow_refunds.follow_refunds": "INSERT ON outbox",
    "disputed.follow_dispute": "INSERT ON line_returns",
    "refund_order.refund_order": "INSERT ON outbox",
    "bring_in_line.bring_one_in_line": "UPDATE ON orders",
    "reschedule.reschedule": "INSERT ON outbox",
    "change_status.cancel": "INSERT ON outbox",
    "change_status.complete": "INSERT ON outbox",
    "change_status.refund": "INSERT ON appointment_modifications",
    "change_status.reactivate": "INSERT ON credit_transactions",
    "change_status.reopen": "INSERT ON appointment_modifications",
    "completion.complete_past": "INSERT ON outbox",
    "reminders.remind": "INSERT ON outbox",
}
"""The last row that each operation writes; the operations that write in one statement are not here."""

NOTES = ("webhook_events", "refund_readings", "allowances")
"""That something was heard, read or tried stays, whatever comes of it."""

BEFORE = {
    "close.note_closed": ("checkouts",),
    "settle.settle_without_card": ("checkouts", "coupons", "coupon_reservations"),
}
"""What other transactions of the same call have written by then."""


@pytest.mark.parametrize("name", sorted(LAST))
def test_what_cannot_be_done_whole_is_not_done(name: str, world: World) -> None:
    _, do, answered = OPERATIONS[name](Shop.of(world))
    every_writer_of(world.connection, LAST[name])
    besides = (*NOTES, *BEFORE.get(name, ()))
    before = contents(world.connection, besides)

    said = None
    with suppress(Exception):
        said = do()

    assert said != answered
    assert writers(world.connection) > 0
    assert contents(world.connection, besides) == before


TOLD = ("settle._settle", "settle.settle_without_card", "completion.complete_past", "reminders.remind")
"""What tells of a session at its end, and sends its statements without awaiting each answer."""


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_told_is_not_done(name: str, world: World) -> None:
    """No statement fails: Python does, on a fact that is not as its schema says, once everything else is written."""
    _, do, answered = OPERATIONS[name](Shop.of(world))
    world.connection.execute("UPDATE users SET email = 'sans-arobase' WHERE role = 'tutor'")
    besides = (*NOTES, *BEFORE.get(name, ()))
    before = contents(world.connection, besides)

    said = None
    with suppress(Exception):
        said = do()

    assert said != answered
    assert contents(world.connection, besides) == before


DAY = timedelta(days=1)
NEW_PASSWORD = {"password": "Autre-phrase-de-passe-34", "password_confirmation": "Autre-phrase-de-passe-34"}


def starting_to_pay_with_a_coupon(shop: Shop) -> Callable[[], Answer]:
    shop.world.school.coupon("MERCI")
    return Guest(shop.world).chooses(wanted(shop.course, TEN)).uses_coupon("MERCI").sends_form


def taking_out(shop: Shop) -> Callable[[], Answer]:
    guest = Guest(shop.world).chooses(wanted(shop.course, TEN))
    item = guest.cart["items"][0]["id"]
    return lambda: guest.browser.delete(f"/v1/cart/items/{item}")


def putting_a_coupon_on_no_cart(shop: Shop) -> Callable[[], Answer]:
    shop.world.school.coupon("MERCI")
    browser = shop.world.browser()
    return lambda: browser.put("/v1/cart/coupon", {"code": "MERCI"})


def changing_a_profile(shop: Shop) -> Callable[[], Answer]:
    account(shop.world)
    browser = signed_in(shop.world)
    return lambda: browser.patch("/v1/me", {"first_name": "Zoée"})


def changing_a_password(shop: Shop) -> Callable[[], Answer]:
    account(shop.world)
    browser = signed_in(shop.world)
    return lambda: browser.post("/v1/me/password", {"current_password": PASSWORD, **NEW_PASSWORD})


def asking_for_a_reset(shop: Shop) -> Callable[[], Answer]:
    account(shop.world)
    browser = shop.world.browser()
    return lambda: browser.post("/v1/auth/password-reset", {"email": "zoe@exemple.ca"})


def using_a_reset(shop: Shop) -> Callable[[], Answer]:
    account(shop.world)
    signed_in(shop.world)
    browser = shop.world.browser()
    assert browser.post("/v1/auth/password-reset", {"email": "zoe@exemple.ca"}).status == 202
    (told,) = shop.world.rows(
        "SELECT convert_from(body, 'UTF8')::json->'payload'->>'reset_token' AS token FROM outbox"
    )
    return lambda: browser.post("/v1/auth/password-reset/confirm", {"token": told["token"], **NEW_PASSWORD})


def telling_make(shop: Shop) -> tuple[Browser, str]:
    """An administrator, and an event that was told."""
    shop.booked()
    account(shop.world, "patronne@exemple.ca", role="admin")
    event_id = shop.world.rows("SELECT event_id FROM outbox WHERE type = 'booking.created'")[0]["event_id"]
    shop.world.connection.execute("UPDATE outbox SET status = 'held', endpoint = 'BOOKING'")
    return signed_in(shop.world, "patronne@exemple.ca"), str(event_id)


def sending_again(shop: Shop) -> Callable[[], Answer]:
    admin, event_id = telling_make(shop)
    return lambda: admin.post(f"/v1/admin/webhooks/deliveries/{event_id}/redeliver", {})


def sending_a_range_again(shop: Shop) -> Callable[[], Answer]:
    admin, _ = telling_make(shop)
    period = {"from": (shop.now - DAY).isoformat(), "to": (shop.now + DAY).isoformat(), "dry_run": False}
    return lambda: admin.post("/v1/admin/webhooks/redeliveries", period)


def stopping_a_range(shop: Shop) -> Callable[[], Answer]:
    admin, _ = telling_make(shop)
    period = {"from": (shop.now - DAY).isoformat(), "to": (shop.now + DAY).isoformat(), "dry_run": False}
    begun = admin.post("/v1/admin/webhooks/redeliveries", period)
    assert begun.status == 202, begun.text
    return lambda: admin.post(f"/v1/admin/webhooks/redeliveries/{begun.body['redelivery_id']}/stop", {})


def pausing(shop: Shop) -> Callable[[], Answer]:
    admin, _ = telling_make(shop)
    shop.world.connection.execute("UPDATE outbox SET status = 'pending'")
    return lambda: admin.post("/v1/admin/webhooks/endpoints/BOOKING/pause", {})


def resuming(shop: Shop) -> Callable[[], Answer]:
    admin, _ = telling_make(shop)
    return lambda: admin.post("/v1/admin/webhooks/endpoints/BOOKING/resume", {})


REQUESTS: dict[str, tuple[Callable[[Shop], Callable[[], Answer]], str, int]] = {
    "start to pay, with a coupon": (starting_to_pay_with_a_coupon, "INSERT ON coupon_reservations", 201),
    "take a session out": (taking_out, "UPDATE ON carts", 200),
    "put a coupon on no cart": (putting_a_coupon_on_no_cart, "UPDATE ON carts", 200),
    "change a profile": (changing_a_profile, "INSERT ON audit_log", 200),
    "change a password": (changing_a_password, "INSERT ON auth_sessions", 200),
    "ask for a reset": (asking_for_a_reset, "INSERT ON outbox", 202),
    "use a reset": (using_a_reset, "UPDATE ON auth_sessions", 204),
    "send an event again": (sending_again, "INSERT ON audit_log", 202),
    "send a range again": (sending_a_range_again, "INSERT ON audit_log", 202),
    "stop a range": (stopping_a_range, "INSERT ON audit_log", 200),
    "pause an address": (pausing, "INSERT ON audit_log", 200),
    "resume an address": (resuming, "INSERT ON audit_log", 200),
}
"""Other requests that write several rows: how one is made ready, the last row that it writes, and its answer."""


@pytest.mark.parametrize("what", REQUESTS)
def test_a_request_that_cannot_be_done_whole_is_not_done(
    what: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", "https://hook.make.exemple.ca/reservations")
    get_ready, last, answered = REQUESTS[what]
    ask = get_ready(Shop.of(world))
    every_writer_of(world.connection, last)
    before = contents(world.connection, NOTES)

    assert ask().status == 500

    assert writers(world.connection) > 0
    assert contents(world.connection, NOTES) == before
    world.connection.execute(
        f"DROP TRIGGER ends ON {last.split()[-1]}"
    )  # what was in its way is taken out of it
    assert ask().status == answered
