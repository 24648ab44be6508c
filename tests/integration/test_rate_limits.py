"""How often is too often: what each limit counts and for whom, and how a refusal reads (spec 4.0, X-73)."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from domain.throttling import limits
from domain.throttling.limits import Limit
from tests.support.browser import Answer, Browser
from tests.support.people import EMAIL, PASSWORD, account, sign_in
from tests.support.shop import SLUG, Shop
from tests.support.tables import contents, nothing_written
from tests.support.wire import counted
from tests.support.world import World, form, toronto

ELSEWHERE = "198.51.100.23"
WRONG = "pas le bon"

type Allow = Callable[[Limit, int], None]
type Ask = Callable[[Browser], Answer]


@pytest.fixture
def shop(world: World) -> Shop:
    shop = Shop(world)
    world.school.coupon("SAVE10")
    return shop


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Allow:
    """Sets one limit; without it there is none."""
    return lambda limit, most: monkeypatch.setenv(limit.name, str(most))


def elsewhere(world: World) -> Browser:
    return Browser(world.clock, address=ELSEWHERE)


def refused(answer: Answer) -> bool:
    """Whether it was refused as too much, and so that a program and a person know what to do."""
    if answer.status != 429:
        return False
    assert answer.code == "RATE_LIMITED"
    assert answer.body["detail"] == "Vous avez fait trop de demandes. Veuillez patienter un moment."
    assert int(answer.headers["Retry-After"]) > 0
    return True


# --- Every limit ------------------------------------------------------------------------------------------------

numbers = count()


def fresh_email() -> str:
    return f"personne.{next(numbers)}@exemple.ca"


def slots(browser: Browser) -> Answer:
    return browser.get(f"/v1/courses/{SLUG}/slots", {"date": "2027-01-20", "duration": "60"})


def days(browser: Browser) -> Answer:
    return browser.get(
        f"/v1/courses/{SLUG}/availability", {"from": "2027-01-18", "to": "2027-02-18", "duration": "60"}
    )


def lost_coupon(browser: Browser) -> Answer:
    return browser.put("/v1/cart/coupon", {"code": "PERDU"})


def email_check(browser: Browser) -> Answer:
    return browser.post("/v1/checkout/email-check", {"email": fresh_email()})


def checkout(browser: Browser) -> Answer:
    return browser.post("/v1/checkout", form(fresh_email()))


def wrong_sign_in(browser: Browser) -> Answer:
    return sign_in(browser, fresh_email(), WRONG)


def reset(browser: Browser) -> Answer:
    return browser.post("/v1/auth/password-reset", {"email": fresh_email()})


def reset_of_zoe(browser: Browser) -> Answer:
    return browser.post("/v1/auth/password-reset", {"email": EMAIL})


FOR_AN_ADDRESS: dict[str, tuple[Limit, Ask, int, int]] = {
    "slots": (limits.AVAILABILITY_READS, slots, 200, 60),
    "days": (limits.AVAILABILITY_READS, days, 200, 60),
    "coupons": (limits.COUPON_REFUSALS, lost_coupon, 422, 60),
    "e-mail checks": (limits.EMAIL_CHECKS, email_check, 200, 60),
    "checkouts": (limits.CHECKOUTS, checkout, 422, 60),
    "wrong passwords": (limits.SIGN_IN_FAILURES, wrong_sign_in, 401, 300),
    "resets": (limits.RESETS_OF_ADDRESS, reset, 202, 3600),
}
every_limit_of_an_address = pytest.mark.parametrize(
    ("limit", "ask", "status", "period"), FOR_AN_ADDRESS.values(), ids=FOR_AN_ADDRESS
)


@every_limit_of_an_address
def test_what_an_address_does_more_often_than_allowed_is_refused_until_it_is_time(
    shop: Shop, allow: Allow, limit: Limit, ask: Ask, status: int, period: int
) -> None:
    allow(limit, 3)

    assert [ask(shop.guest()).status for _ in range(3)] == [status] * 3
    answer = ask(shop.guest())
    assert refused(answer)
    assert answer.headers["Retry-After"] == str(period // 3)
    shop.world.clock.advance(seconds=period // 3 - 1)
    assert refused(ask(shop.guest()))
    shop.world.clock.advance(seconds=1)
    assert ask(shop.guest()).status == status


@every_limit_of_an_address
def test_another_address_is_not_kept_from_it(
    shop: Shop, allow: Allow, limit: Limit, ask: Ask, status: int, period: int
) -> None:
    allow(limit, 1)
    ask(shop.guest())

    assert refused(ask(shop.guest()))
    assert ask(elsewhere(shop.world)).status == status


@every_limit_of_an_address
def test_what_is_refused_writes_nothing(
    shop: Shop, allow: Allow, limit: Limit, ask: Ask, status: int, period: int
) -> None:
    allow(limit, 1)
    ask(shop.guest())

    with nothing_written(shop.world.connection):
        assert refused(ask(shop.guest()))


@every_limit_of_an_address
@pytest.mark.parametrize("setting", [None, "", "0"])
def test_without_a_number_there_is_no_limit_and_nobody_is_counted(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    limit: Limit,
    ask: Ask,
    status: int,
    period: int,
    setting: str | None,
) -> None:
    if setting is not None:
        monkeypatch.setenv(limit.name, setting)

    assert [ask(shop.guest()).status for _ in range(3)] == [status] * 3
    assert shop.world.count("allowances") == 0


# --- Whose it is ------------------------------------------------------------------------------------------------


def test_an_address_is_who_called_and_not_who_a_client_says_it_is(shop: Shop, allow: Allow) -> None:
    allow(limits.EMAIL_CHECKS, 1)
    email_check(shop.guest())

    forwarded = shop.guest().post(
        "/v1/checkout/email-check",
        {"email": EMAIL},
        x_forwarded_for=ELSEWHERE,
        x_real_ip=ELSEWHERE,
        forwarded=f"for={ELSEWHERE}",
    )

    assert refused(forwarded)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_a_household_with_ipv6_is_one_address(
    world: World, allow: Allow, one: str, other: str, *, same: bool
) -> None:
    allow(limits.EMAIL_CHECKS, 1)
    email_check(Browser(world.clock, address=one))

    assert refused(email_check(Browser(world.clock, address=other))) == same


def test_slots_and_days_are_one_limit(shop: Shop, allow: Allow) -> None:
    allow(limits.AVAILABILITY_READS, 2)

    assert [ask(shop.guest()).status for ask in (slots, days, slots, days)] == [200, 200, 429, 429]


# --- Signing in -------------------------------------------------------------------------------------------------


def test_who_knows_the_password_may_sign_in_as_often_as_they_like(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.SIGN_IN_FAILURES, 2)

    assert [sign_in(world.browser()).status for _ in range(6)] == [200] * 6
    assert [sign_in(world.browser(), password=WRONG).status for _ in range(3)] == [401, 401, 429]


def test_wrong_passwords_for_one_person_count_from_wherever_they_come(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.SIGN_IN_FAILURES, 3)
    addresses = [f"198.51.100.{n}" for n in range(5)]

    tries = [
        sign_in(Browser(world.clock, address=address), f" {EMAIL.upper()}", WRONG) for address in addresses
    ]

    assert [answer.status for answer in tries] == [401, 401, 401, 429, 429]


def test_even_the_right_password_opens_nothing_then(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.SIGN_IN_FAILURES, 1)
    sign_in(world.browser(), password=WRONG)

    with nothing_written(world.connection):
        answer = sign_in(world.browser())

    assert refused(answer)
    assert answer.cookies == []


def test_who_has_no_account_is_refused_as_soon_and_in_the_same_words(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.SIGN_IN_FAILURES, 2)

    def told(email: str, address: str) -> list[tuple[int, Any]]:
        browser = Browser(world.clock, address=address)
        answers = [sign_in(browser, email, WRONG) for _ in range(3)]
        return [
            (answer.status, {**answer.body, "instance": ""}, answer.headers.get("Retry-After"))  # type: ignore[misc]
            for answer in answers
        ]

    assert told(EMAIL, ELSEWHERE) == told("personne@exemple.ca", "192.0.2.1")


def test_a_wrong_password_counts_even_if_all_that_was_done_is_undone(world: World, allow: Allow) -> None:
    """With an Idempotency-Key the whole request is one transaction, and a refusal keeps no answer."""
    account(world)
    allow(limits.SIGN_IN_FAILURES, 3)
    body = {"email": EMAIL, "password": WRONG}

    tries = [world.browser().post("/v1/auth/sign-in", body, idempotency_key="k") for _ in range(4)]

    assert [answer.status for answer in tries] == [401, 401, 401, 429]


def test_guessing_one_s_current_password_is_guessing(world: World, allow: Allow) -> None:
    account(world)
    browser = world.browser()
    sign_in(browser)
    allow(limits.SIGN_IN_FAILURES, 2)

    def change(current: str, new: str) -> int:
        passwords = {"current_password": current, "password": new, "password_confirmation": new}
        return browser.post("/v1/me/password", passwords).status

    assert [change(PASSWORD, f"{PASSWORD}!"), change(f"{PASSWORD}!", PASSWORD)] == [200, 200]
    assert [change(WRONG, "autre-chose") for _ in range(3)] == [422, 422, 429]


# --- Lost passwords ---------------------------------------------------------------------------------------------


def test_a_person_is_written_to_so_many_times_an_hour_whoever_asks(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.RESETS_OF_EMAIL, 2)
    addresses = [f"198.51.100.{n}" for n in range(4)]

    answers = [reset_of_zoe(Browser(world.clock, address=address)) for address in addresses]

    assert [answer.status for answer in answers] == [202, 202, 429, 429]
    assert world.count("outbox") == 2


def test_nobody_can_tell_from_a_limit_whether_there_is_an_account(world: World, allow: Allow) -> None:
    account(world)
    allow(limits.RESETS_OF_EMAIL, 2)
    allow(limits.RESETS_OF_ADDRESS, 100)

    def told(email: str) -> list[Any]:
        answers = [world.browser().post("/v1/auth/password-reset", {"email": email}) for _ in range(3)]
        return [
            (answer.status, answer.body | {"instance": ""}, answer.headers, answer.cookies)
            for answer in answers
        ]

    assert told(EMAIL) == told("personne@exemple.ca") == told("pas un courriel") == told("")


# --- The cart ---------------------------------------------------------------------------------------------------


def test_an_address_holds_so_many_sessions_an_hour_whoever_it_says_it_is(shop: Shop, allow: Allow) -> None:
    """The cap of an identity is HOLD_LIMIT; another cookie is another identity, the address remains (X-73)."""
    allow(limits.CART_ADDS, 4)

    one = shop.add(shop.guest(), shop.wanted(9), shop.wanted(10), shop.wanted(11))
    other = shop.add(shop.guest(), shop.wanted(12), shop.wanted(13))
    student = shop.signed_in()
    last, too_many = shop.add(student, shop.wanted(14)), shop.add(student, shop.wanted(15))

    assert [answer.status for answer in (one, other, last, too_many)] == [201, 429, 201, 429]
    assert refused(other)
    assert refused(too_many)
    assert len(shop.claims()) == 4


def test_what_could_not_be_held_is_not_counted(shop: Shop, allow: Allow) -> None:
    shop.added(Browser(shop.world.clock, address=ELSEWHERE), shop.wanted(9))
    allow(limits.CART_ADDS, 2)
    guest = shop.guest()

    refusals = [shop.add(guest, shop.wanted(9)).code for _ in range(5)]
    keyed = guest.post("/v1/cart/items", {"items": [shop.wanted(9)]}, idempotency_key="k").code

    assert {*refusals, keyed} == {"SLOT_UNAVAILABLE"}
    assert shop.add(guest, shop.wanted(10), shop.wanted(11)).status == 201
    assert refused(shop.add(guest, shop.wanted(12)))


def test_a_request_sent_again_with_its_key_is_not_another(shop: Shop, allow: Allow) -> None:
    allow(limits.CART_ADDS, 1)
    guest = shop.guest()
    shop.cart(guest)

    answers = [
        guest.post("/v1/cart/items", {"items": [shop.wanted(9)]}, idempotency_key="k") for _ in range(3)
    ]

    assert [answer.status for answer in answers] == [201] * 3


def test_the_limit_adds_one_round_trip_to_an_add_and_one_statement_to_slots(
    shop: Shop, allow: Allow, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", "off")
    guest = shop.guest()
    with counted(configured) as wire:
        shop.cart(guest)

        def cost(call: Callable[[], object]) -> tuple[int, int]:
            wire.reset()
            call()
            return wire.round_trips, wire.statements

        add_without, slots_without = cost(lambda: shop.add(guest, shop.wanted(9))), cost(lambda: slots(guest))
        allow(limits.CART_ADDS, 60)
        allow(limits.AVAILABILITY_READS, 120)
        add_with, slots_with = cost(lambda: shop.add(guest, shop.wanted(10))), cost(lambda: slots(guest))

    assert add_with[0] <= add_without[0] + 1 <= 5
    assert slots_with[1] == slots_without[1] + 1 <= 2


def test_a_coupon_that_works_is_not_counted(shop: Shop, allow: Allow) -> None:
    allow(limits.COUPON_REFUSALS, 2)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))

    assert [guest.put("/v1/cart/coupon", {"code": "SAVE10"}).status for _ in range(4)] == [200] * 4
    assert [guest.put("/v1/cart/coupon", {"code": code}).status for code in ("", "PERDU", "SAVE10")] == [
        422,
        422,
        429,
    ]


def test_a_coupon_that_makes_a_cart_is_counted(shop: Shop, allow: Allow) -> None:
    """A stranger has as many carts of coupons as they have wrong codes."""
    allow(limits.COUPON_REFUSALS, 2)

    statuses = [shop.guest().put("/v1/cart/coupon", {"code": "SAVE10"}).status for _ in range(3)]

    assert (statuses, shop.world.count("carts")) == ([200, 200, 429], 2)


# --- The checkout -----------------------------------------------------------------------------------------------


def test_a_payment_asked_for_again_with_its_key_is_not_another(shop: Shop, allow: Allow) -> None:
    allow(limits.CHECKOUTS, 1)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))

    again = [guest.post("/v1/checkout", form(EMAIL), idempotency_key="k") for _ in range(3)]

    assert [answer.status for answer in again] == [201] * 3
    assert len({answer.body["checkout_id"] for answer in again}) == 1
    assert refused(guest.post("/v1/checkout", form(EMAIL), idempotency_key="autre"))
    assert refused(guest.post("/v1/checkout", form(EMAIL)))


def test_a_refused_payment_is_not_asked_of_stripe(shop: Shop, allow: Allow) -> None:
    allow(limits.CHECKOUTS, 1)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    checkout(guest)
    before, calls = contents(shop.world.connection), len(shop.world.stripe.calls)

    assert refused(checkout(guest))
    assert contents(shop.world.connection) == before
    assert len(shop.world.stripe.calls) == calls


def test_a_session_is_bought_within_the_limits_of_production(shop: Shop, allow: Allow) -> None:
    for limit, most in {
        limits.AVAILABILITY_READS: 120,
        limits.CART_ADDS: 60,
        limits.CHECKOUTS: 10,
        limits.EMAIL_CHECKS: 10,
        limits.COUPON_REFUSALS: 10,
        limits.SIGN_IN_FAILURES: 10,
    }.items():
        allow(limit, most)
    guest = shop.guest()
    assert slots(guest).status == 200
    shop.added(guest, shop.wanted(9))
    assert guest.put("/v1/cart/coupon", {"code": "SAVE10"}).status == 200
    assert email_check(guest).status == 200
    started = guest.post("/v1/checkout", form(EMAIL))
    assert started.status == 201
    shop.world.pay(started.body["payment_intent_id"])
    assert [answer.status for answer in shop.world.webhooks()] == [200]

    assert shop.world.rows("SELECT start_datetime FROM appointments") == [{"start_datetime": toronto(20, 9)}]
