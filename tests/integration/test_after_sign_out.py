"""After sign-out the cookie of the guest who bought reads nothing of it any more (decision 22)."""

from collections.abc import Callable

import pytest

from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import PASSWORD, account, sign_in, signed_in
from tests.support.shop import Shop
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import FORM, World

CHOSEN = FORM["account"]["password"]
NEW = "Autre-phrase-de-passe-34"


@pytest.fixture
def shop(world: World) -> Shop:
    world.school.coupon("GRATUIT", "percent", "100")
    return Shop(world)


def sign_out(browser: Browser) -> None:
    assert browser.post("/v1/auth/sign-out", None).status == 204


def by_paying(guest: Guest) -> Browser:
    """The first settled answer signs in."""
    assert guest.asks().body["session_token"]
    return guest.browser


def by_password(guest: Guest) -> Browser:
    assert sign_in(guest.browser, guest.email, CHOSEN).status == 200
    return guest.browser


def by_password_elsewhere(guest: Guest) -> Browser:
    """The guest's browser keeps its cookie, and the cart that was bought empty."""
    return signed_in(guest.world, guest.email, CHOSEN)


WAYS = [by_paying, by_password, by_password_elsewhere]
type Way = Callable[[Guest], Browser]


def bought(shop: Shop) -> tuple[Guest, Browser]:
    """A guest who has bought, and a browser that has only the guest's cookie."""
    guest = Guest(shop.world).books(shop.wanted(9))
    return guest, Browser(shop.world.clock, dict(guest.browser.cookies))


def asks(browser: Browser, guest: Guest, **headers: str) -> Answer:
    return browser.request("GET", f"/v1/checkout/{guest.checkout_id}", headers=headers)


@pytest.mark.parametrize("enters", WAYS)
def test_the_guest_s_cookie_reads_the_checkout_until_sign_out_and_not_after(shop: Shop, enters: Way) -> None:
    guest, left_behind = bought(shop)
    browser = enters(guest)
    assert shop.world.count("auth_sessions") == 1
    sign_out(browser)

    with nothing_written(shop.world.connection):
        answer = asks(left_behind, guest)

    assert (answer.status, answer.code) == (404, "CHECKOUT_NOT_FOUND")
    assert guest.checkout_id not in answer.text


def test_before_sign_out_it_does(shop: Shop) -> None:
    """The negative control; a second tab may still be asking."""
    guest, left_behind = bought(shop)
    by_paying(guest)

    assert asks(left_behind, guest).body["order"]["number"] == "4AS-000001"


@pytest.mark.parametrize("enters", WAYS)
def test_nor_does_the_payment_s_secret_which_the_browser_s_history_has(shop: Shop, enters: Way) -> None:
    guest, left_behind = bought(shop)
    browser = enters(guest)
    before = asks(shop.world.browser(), guest, x_client_secret=guest.client_secret).body["order"]["number"]
    sign_out(browser)

    with nothing_written(shop.world.connection):
        answer = asks(shop.world.browser(), guest, x_client_secret=guest.client_secret)
        left = asks(left_behind, guest, x_client_secret=guest.client_secret)

    assert (before, answer.code, left.code) == ("4AS-000001", "CHECKOUT_NOT_FOUND", "CHECKOUT_NOT_FOUND")
    assert answer.cookies == []


def test_nor_that_of_a_student_who_was_signed_in_when_they_paid(shop: Shop) -> None:
    student = Student(shop.world).books(shop.wanted(9))
    sign_out(student.browser)

    answer = asks(shop.world.browser(), student, x_client_secret=student.client_secret)

    assert answer.code == "CHECKOUT_NOT_FOUND"


def test_nobody_is_signed_in_by_paying_after_a_sign_out(shop: Shop) -> None:
    """By the password, before the page asked how the payment went: the right it had not used is gone."""
    guest, _ = bought(shop)
    sign_out(by_password(guest))

    assert shop.world.rows("SELECT signed_in_at IS NULL AS open FROM checkouts") == [{"open": False}]
    assert shop.world.rows("SELECT count(*) AS n FROM auth_sessions WHERE revoked_at IS NULL") == [{"n": 0}]


@pytest.mark.parametrize("enters", WAYS)
def test_paying_again_with_the_guest_s_cookie_does_not_show_the_order(shop: Shop, enters: Way) -> None:
    guest, left_behind = bought(shop)
    sign_out(enters(guest))

    with nothing_written(shop.world.connection):
        assert left_behind.post("/v1/checkout", FORM).code == "CART_EMPTY"


@pytest.mark.parametrize("enters", [by_paying, by_password_elsewhere])
def test_nor_does_an_order_that_needed_no_card(shop: Shop, enters: Way) -> None:
    guest = Guest(shop.world).chooses(shop.wanted(9)).uses_coupon("GRATUIT").starts()
    left_behind = Browser(shop.world.clock, dict(guest.browser.cookies))
    sign_out(enters(guest))

    assert asks(left_behind, guest).code == "CHECKOUT_NOT_FOUND"
    assert left_behind.post("/v1/checkout", FORM).code == "CART_EMPTY"


@pytest.mark.parametrize("how", ["reset", "change"])
def test_another_password_ends_it_too(shop: Shop, how: str) -> None:
    guest, left_behind = bought(shop)
    passwords = {"password": NEW, "password_confirmation": NEW}
    if how == "reset":
        shop.world.browser().post("/v1/auth/password-reset", {"email": guest.email})
        [token] = shop.world.rows(
            "SELECT convert_from(body, 'UTF8')::json->'payload'->>'reset_token' AS token FROM outbox"
            " WHERE type = 'password.reset_requested'"
        )
        answer = shop.world.browser().post("/v1/auth/password-reset/confirm", token | passwords)
    else:
        body = passwords | {"current_password": CHOSEN}
        answer = by_password_elsewhere(guest).post("/v1/me/password", body)
    assert answer.status in (200, 204)

    assert asks(left_behind, guest).code == "CHECKOUT_NOT_FOUND"


def test_an_order_that_became_an_older_account_s_is_forgotten_by_the_cookie_too(shop: Shop) -> None:
    guest = Guest(shop.world).chooses(shop.wanted(9)).starts()
    account(shop.world)
    guest.pays()
    shop.world.webhooks()
    assert guest.asks().body["status"] == "sign_in_required"

    sign_out(signed_in(shop.world))

    assert guest.asks().code == "CHECKOUT_NOT_FOUND"


def test_what_was_withdrawn_by_the_sign_in_is_forgotten_by_the_cookie_too(shop: Shop) -> None:
    account(shop.world)
    guest = Guest(shop.world, "autre@exemple.ca").chooses(shop.wanted(9)).starts()
    left_behind = Browser(shop.world.clock, dict(guest.browser.cookies))
    assert sign_in(guest.browser).status == 200
    assert asks(left_behind, guest).status == 200

    sign_out(guest.browser)

    assert asks(left_behind, guest).code == "CHECKOUT_NOT_FOUND"
    guest.pays()
    shop.world.webhooks()
    late = asks(left_behind, guest, x_client_secret=guest.client_secret).body
    assert (late["status"], late["order"]["total_cad"]) == ("settled", "45.00")


def test_somebody_else_s_sign_out_ends_nothing_of_it(shop: Shop) -> None:
    guest, left_behind = bought(shop)
    account(shop.world, "lea@exemple.ca")
    sign_out(signed_in(shop.world, "lea@exemple.ca", PASSWORD))

    assert asks(left_behind, guest).body["status"] == "settled"


def test_a_session_that_had_ended_ends_nothing(shop: Shop) -> None:
    guest, _ = bought(shop)
    browser = by_password(guest)
    ended = Browser(shop.world.clock, dict(browser.cookies))
    sign_out(browser)
    later = Guest(shop.world, "lea@exemple.ca").books(shop.wanted(11))

    with nothing_written(shop.world.connection):
        sign_out(ended)

    assert later.asks().body["status"] == "settled"


def test_who_signed_out_may_buy_as_a_guest_again_and_follow_it(shop: Shop) -> None:
    guest, _ = bought(shop)
    sign_out(by_paying(guest))

    again = Guest(shop.world, "lea@exemple.ca")
    again.browser.cookies = guest.browser.cookies
    again.books(shop.wanted(11))

    assert again.asks().body["order"]["number"] == "4AS-000002"


def test_a_checkout_that_may_still_be_paid_is_somebody_s(shop: Shop) -> None:
    """The database says so."""
    Guest(shop.world).chooses(shop.wanted(9)).starts()

    with pytest.raises(Exception, match="checkouts_of_somebody"):
        shop.world.connection.execute("UPDATE checkouts SET session_hash = NULL")
