"""What a checkout refuses: before any charge, in French, and without a trace (P3; appendix A.4.3, A.4.5, A.4.10)."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.accounts.passwords import is_password
from domain.accounts.sign_ins import open_session
from domain.cart.add_items import add_items
from domain.cart.models import WantedSession
from domain.checkout.models import CheckoutStarted
from domain.tutoring.models import StartCheckout
from local.stripe_double.faults import Kind
from tests.support.browser import Answer
from tests.support.guest import Guest
from tests.support.race import at_once
from tests.support.rush import session
from tests.support.selling import start_checkout
from tests.support.tables import contents
from tests.support.world import FORM, World, form, toronto, wanted

TEN = toronto(20, 10)
ELEVEN = toronto(20, 11)


@pytest.fixture
def course(world: World) -> UUID:
    """One course at 45.00 an hour with one tutor."""
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def guest(world: World, course: UUID) -> Guest:
    """Somebody with one session in the cart."""
    return Guest(world).chooses(wanted(course, TEN))


@contextmanager
def untouched(world: World) -> Iterator[None]:
    """Nothing may be written, and Stripe may not be called."""
    before, calls = contents(world.connection), len(world.stripe.calls)
    yield
    assert contents(world.connection) == before
    assert len(world.stripe.calls) == calls


def refusal(answer: Answer) -> tuple[int, str, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.cookies == []
    return answer.status, answer.body["code"], answer.body["detail"]


def changed(path: str, value: Any = ...) -> dict[str, Any]:
    """The checkout form with one field replaced, or taken out."""
    body = deepcopy(FORM)
    *parents, name = path.split(".")
    place = body
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return body


def faulty_fields(answer: Answer) -> list[str]:
    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED"), answer.text
    assert answer.body["detail"] == "Certains champs sont invalides."
    assert all(error["detail"].endswith(".") for error in answer.body["errors"])
    return [error["field"] for error in answer.body["errors"]]


# --- The cart -----------------------------------------------------------------------------------------------


def test_an_empty_cart_cannot_be_paid(world: World) -> None:
    browser = world.browser()
    browser.get("/v1/cart")
    with untouched(world):
        assert refusal(browser.post("/v1/checkout", FORM)) == (422, "CART_EMPTY", "Votre panier est vide")


def test_somebody_who_never_had_a_cart_cannot_pay(world: World) -> None:
    with untouched(world):
        assert world.browser().post("/v1/checkout", FORM).code == "CART_EMPTY"


def test_a_session_taken_meanwhile_is_named(world: World, course: UUID, guest: Guest) -> None:
    guest.chooses(wanted(course, toronto(20, 14), 90))
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(wanted(course, toronto(20, 14), 60))

    with untouched(world):
        answer = guest.sends_form()
        assert refusal(answer) == (
            409,
            "SLOTS_UNAVAILABLE",
            "Certains créneaux de votre panier ne sont plus disponibles",
        )
    (item,) = answer.body["items"]
    lost = guest.cart["items"][1]
    assert item == lost
    assert (item["start"], item["duration_min"], item["unavailable"], item["hold_expired"]) == (
        "2027-01-20T14:00:00-05:00",
        90,
        True,
        True,
    )


def test_without_the_lost_session_the_rest_can_be_paid(world: World, course: UUID, guest: Guest) -> None:
    guest.chooses(wanted(course, toronto(20, 14)))
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(wanted(course, toronto(20, 14)))
    assert guest.sends_form().code == "SLOTS_UNAVAILABLE"

    guest.drops(item=1).starts()
    assert guest.started["amount_cad"] == "45.00"


def test_a_lapsed_hold_whose_time_is_free_is_taken_again(world: World, guest: Guest) -> None:
    world.clock.advance(minutes=16)
    guest.starts()

    (item,) = guest.cart["items"]
    assert (item["hold_expired"], item["hold_expires_at"]) == (False, "2027-01-18T12:31:00-05:00")


@pytest.mark.parametrize("tutor", ["of their choice", "whoever is free"])
def test_what_was_started_before_is_still_the_payment_of_a_session_held_again(
    world: World, course: UUID, tutor: str
) -> None:
    """Nothing of the cart is otherwise: the same tutor has the same time."""
    of_choice = world.rows("SELECT id FROM tutors")[0]["id"] if tutor == "of their choice" else None
    guest = Guest(world).chooses(wanted(course, toronto(20, 10), tutor=of_choice)).starts()
    before, version = guest.started, guest.cart["version"]
    world.clock.advance(minutes=16)

    guest.starts()

    assert guest.started["checkout_id"] == before["checkout_id"]
    assert guest.started["payment_intent_id"] == before["payment_intent_id"]
    assert guest.cart["version"] == version


def test_a_standing_hold_is_not_prolonged(world: World, guest: Guest) -> None:
    """Fifteen minutes from creation, whatever the buyer does (decision 12)."""
    world.clock.advance(minutes=14)
    guest.starts()

    assert guest.cart["items"][0]["hold_expires_at"] == "2027-01-18T12:15:00-05:00"


def test_a_session_whose_tutor_no_longer_teaches_cannot_be_held_again(world: World, guest: Guest) -> None:
    world.clock.advance(minutes=16)
    world.connection.execute("UPDATE tutors SET active = false")

    with untouched(world):
        assert guest.sends_form().code == "SLOTS_UNAVAILABLE"


# --- Prices and coupons -------------------------------------------------------------------------------------


def test_a_price_that_changed_is_shown_before_any_charge(world: World, guest: Guest) -> None:
    world.connection.execute("UPDATE courses SET student_rate_cad = 50.00")
    besides = ("carts", "cart_sessions")
    before = contents(world.connection, besides=besides)

    answer = guest.sends_form()
    assert refusal(answer) == (
        409,
        "PRICE_CHANGED",
        "Le prix de votre panier a changé. Veuillez vérifier le nouveau total.",
    )
    assert (answer.body["old_total_cad"], answer.body["new_total_cad"]) == ("45.00", "50.00")
    assert contents(world.connection, besides=besides) == before
    assert world.stripe.calls == []


def test_the_second_try_charges_the_new_price(world: World, guest: Guest) -> None:
    world.connection.execute("UPDATE courses SET student_rate_cad = 50.00")
    version = guest.cart["version"]
    guest.sends_form()

    assert (guest.cart["total_cad"], guest.cart["version"]) == ("50.00", version + 1)
    assert guest.starts().started["amount_cad"] == "50.00"
    assert [intent["amount"] for intent in world.stripe.all("payment_intent")] == [5000]


def test_both_totals_of_a_changed_price_have_the_discount(world: World, guest: Guest) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    guest.uses_coupon("SAVE10")
    world.connection.execute("UPDATE courses SET student_rate_cad = 50.00")

    answer = guest.sends_form()
    assert (answer.body["old_total_cad"], answer.body["new_total_cad"]) == ("40.50", "45.00")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ends_at = '2027-01-18T17:00:00Z'", "Ce code promo est expiré"),  # this very instant
        ("active = false", "Ce code promo est inactif"),
        ("starts_at = '2027-01-18T17:00:01Z'", "Ce code promo n'est pas encore valide"),
        (
            "max_redemptions = 1, redemption_count = 1",
            "Ce code promo a atteint sa limite d'utilisation",
        ),
    ],
)
def test_a_coupon_is_checked_again_at_checkout(world: World, guest: Guest, change: str, reason: str) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    guest.uses_coupon("SAVE10")
    world.connection.execute(f"UPDATE coupons SET {change}")  # noqa: S608

    with untouched(world):
        assert refusal(guest.sends_form()) == (422, "COUPON_INVALID", reason)
    guest.browser.delete("/v1/cart/coupon")
    assert guest.starts().started["amount_cad"] == "45.00"


# --- The account --------------------------------------------------------------------------------------------

BAD_EMAILS = [
    "",
    "   ",
    "zoe",
    "zoe@",
    "@exemple.ca",
    "zoe@exemple",
    "zoe@@exemple.ca",
    "zoe@max@exemple.ca",
    "zoe@exemple..ca",
    ".zoe@exemple.ca",
    "zoe.@exemple.ca",
    "z..oe@exemple.ca",
    "zo e@exemple.ca",
    "zoe@exem ple.ca",
    "zoe@exemple.ca, max@exemple.ca",
    "<zoe@exemple.ca>",
    "Zoé <zoe@exemple.ca>",
    "zoé@exemple.ca",
    "zoe@québec..ca",
    "zoe@exemple.local",
    "zoe@localhost.localhost",
    "zoe＠exemple.ca",
    "\u212a@exemple.ca",
    "zoe@" + "é" * 60 + ".ca",
    "zoe@xn--zz.ca",
    "zoe@-exemple.ca",
    "zoe@exemple-.ca",
    "zoe@exemple.c",
    "zoe@exemple.123",
    "zoe@127.0.0.1",
    "zoe@[127.0.0.1]",
    '"zoe"@exemple.ca',
    "zoe@exemple.ca\nBcc: max@exemple.ca",
    "zoe\x00@exemple.ca",
    "z" * 65 + "@exemple.ca",
    "z" * 64 + "@" + "e" * 64 + ".ca",
    "zoe@" + "exemple." * 32 + "ca",  # 254 is the longest
]
GOOD_EMAILS = [
    "zoe@exemple.ca",
    "  Zoe@Exemple.CA ",
    "zoe+cours@exemple.ca",
    "zoe.tremblay@sous.domaine.quebec",
    "o'brien@exemple.ca",
    "z@e.ca",
    "zoe@xn--qubec-csa.ca",
    "123@456.ca",
    "z" * 64 + "@exemple.ca",
    "z" * 64 + "@" + ("e" * 62 + ".") * 2 + "e" * 60 + ".ca",  # 254
]


def test_a_bad_email_is_refused(world: World, guest: Guest) -> None:
    with untouched(world):
        for email in BAD_EMAILS:
            answer = guest.browser.post("/v1/checkout", form(email))
            assert refusal(answer) == (422, "EMAIL_INVALID", "Courriel invalide"), email


def test_a_bad_email_is_refused_by_the_email_check_too(world: World) -> None:
    browser = world.browser()
    with untouched(world):
        codes = {
            email: browser.post("/v1/checkout/email-check", {"email": email}).code for email in BAD_EMAILS
        }
    assert {email: code for email, code in codes.items() if code != "EMAIL_INVALID"} == {}


def test_a_good_email_passes(world: World) -> None:
    browser = world.browser()
    for email in GOOD_EMAILS:
        answer = browser.post("/v1/checkout/email-check", {"email": email})
        assert (answer.status, answer.body) == (200, {"exists": False}), email


def test_the_email_check_finds_an_account_in_any_case(world: World) -> None:
    world.school.user("zoe@exemple.ca")
    answer = world.browser().post("/v1/checkout/email-check", {"email": " ZOE@exemple.CA"})
    assert answer.body == {"exists": True}


@pytest.mark.parametrize("role", ["student", "tutor", "admin"])
def test_an_email_that_has_an_account_is_refused_in_any_case(world: World, guest: Guest, role: str) -> None:
    world.school.user("zoe@exemple.ca", role)
    cart = guest.cart

    with untouched(world):
        assert refusal(guest.browser.post("/v1/checkout", form("ZOE@Exemple.CA"))) == (
            409,
            "USER_ALREADY_EXISTS",
            "Un compte existe déjà avec cette adresse email. Veuillez vous connecter avec votre compte existant.",
        )
    assert guest.cart == cart
    assert cart["items"][0]["hold_expired"] is False


@pytest.mark.parametrize("password", ["", "court", "é" * 5])
def test_a_short_password_is_refused(world: World, guest: Guest, password: str) -> None:
    account = FORM["account"] | {"password": password, "password_confirmation": password}
    with untouched(world):
        assert refusal(guest.sends_form(account=account)) == (
            422,
            "PASSWORD_TOO_SHORT",
            "Le mot de passe doit contenir au moins 6 caractères",
        )


@pytest.mark.parametrize("confirmation", ["motdepassE", "motdepasse ", ""])
def test_two_different_passwords_are_refused(world: World, guest: Guest, confirmation: str) -> None:
    account = FORM["account"] | {"password_confirmation": confirmation}
    with untouched(world):
        assert refusal(guest.sends_form(account=account)) == (
            422,
            "PASSWORD_MISMATCH",
            "Les mots de passe ne correspondent pas",
        )


def test_six_characters_are_enough_for_a_password(guest: Guest) -> None:
    account = FORM["account"] | {"password": "été26!", "password_confirmation": "été26!"}
    assert guest.sends_form(account=account).status == 201


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("514 555-0123", "+15145550123"),
        ("(514) 555.0123", "+15145550123"),
        ("1 514 555 0123", "+15145550123"),
        ("+1 514 555 0123", "+15145550123"),
        ("+33 1 23 45 67 89", "+33123456789"),
        ("+47 21 23 45 67", "+4721234567"),  # ten digits, but not ours
        ("+33 (0)6 12 34 56 78", "+33612345678"),
        ("(+33) 6-12-34-56-78", "+33612345678"),
        ("011 33 6 12 34 56 78", "+33612345678"),
        ("514\u00a0555\u00a00123", "+15145550123"),
        ("+33\u202f6\u202f12\u202f34\u202f56\u202f78", "+33612345678"),
        ("\u202a514 555\u20110123\u202c", "+15145550123"),
        ("514\u3000555\u200b-\u00ad0123\ufeff", "+15145550123"),
        ("514\t555\r\n0123", "+15145550123"),
        ("٥١٤ ٥٥٥ ٠١٢٣", "+15145550123"),
        ("＋1 514 555 0123", "+15145550123"),
        ("+1 212 555 0123", "+12125550123"),
        ("\u00a0\u200b", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_phone_number_is_kept_in_e164(world: World, guest: Guest, typed: Any, kept: str | None) -> None:
    guest.sends_form(account=FORM["account"] | {"phone": typed})
    (checkout,) = world.rows("SELECT buyer->>'phone' AS phone FROM checkouts")
    assert checkout["phone"] == kept


def test_a_bad_phone_number_is_refused(world: World, guest: Guest) -> None:
    with untouched(world):
        for phone in (
            "555-0123",
            "514 555-012x",
            "5145550123 poste 4",
            "+" + "1" * 16,
            "----------",
            "+0 514 555 0123",
            "011 514 555 0123",
            "06 12 34 56 78",
            "06\u00a012\u00a034\u00a056\u00a078",
            "0000000000",
            "000-000-0000",
            "1111111111",
            "9999999999",
            "123 456 7890",
            "911",
            "514 555 012",
            "514 555 01234",
            "+33 06 12 34 56",
            "+999 514 555 0123",
            "+298 211234",  # one of the Faroe Islands: Make.com is promised ten digits
            "1-800-FLOWERS",
            "tel:+15145550123",
            "514 555-0123 x4",
            "514 555-0123;ext=4",
            "514 555-0123 / 514 555-0124",
            "514 555 0123\x00",
            "514\x1f555 0123",
            "+" * 10,
            "½145550123",
        ):
            answer = guest.browser.post("/v1/checkout", changed("account.phone", phone))
            assert faulty_fields(answer) == ["account.phone"], phone


def test_a_tutor_who_is_signed_in_cannot_buy(world: World, guest: Guest) -> None:
    tutor = world.school.user("tutrice@exemple.ca", "tutor")
    guest.browser.cookies["__Host-session"] = open_session(world.connection, tutor, world.clock()).token
    with untouched(world):
        assert refusal(guest.sends_form()) == (
            403,
            "BOOKING_NOT_ALLOWED",
            "Ce compte ne peut pas effectuer de réservation",
        )


# --- The form -----------------------------------------------------------------------------------------------

REQUIRED = [
    "account.email",
    "account.first_name",
    "account.last_name",
    "account.password",
    "account.password_confirmation",
    "billing.address",
    "billing.city",
    "billing.province",
    "billing.country",
]
LINES = ["account.first_name", "account.last_name", "billing.address", "billing.city", "billing.province"]


def test_every_required_field_must_be_there(world: World, guest: Guest) -> None:
    with untouched(world):
        for path in [*REQUIRED, "billing", "account"]:
            answer = guest.browser.post("/v1/checkout", changed(path))
            assert faulty_fields(answer) == [path]
            assert answer.body["errors"][0] == {
                "field": path,
                "code": "MISSING",
                "detail": "Ce champ est obligatoire.",
            }


def test_a_required_line_cannot_be_blank(world: World, guest: Guest) -> None:
    with untouched(world):
        for path in LINES:
            for blank in ("", "   "):
                assert faulty_fields(guest.browser.post("/v1/checkout", changed(path, blank))) == [path]


@pytest.mark.parametrize("country", ["US", "ca", "Canada", "", None, 1])
def test_only_canada_is_served(world: World, guest: Guest, country: Any) -> None:
    with untouched(world):
        answer = guest.browser.post("/v1/checkout", changed("billing.country", country))
        assert faulty_fields(answer) == ["billing.country"]


def test_wrong_types_are_refused(world: World, guest: Guest) -> None:
    no_text: list[Any] = [None, 1, True, 4.5, [], {}, ["zoe@exemple.ca"]]
    no_object: list[Any] = [1, True, "texte", []]
    with untouched(world):
        for path in REQUIRED:
            for value in no_text:
                answer = guest.browser.post("/v1/checkout", changed(path, value))
                assert faulty_fields(answer) == [path], (path, value)
        for path in ("account", "billing"):
            for value in no_object:
                assert faulty_fields(guest.browser.post("/v1/checkout", changed(path, value))) == [path]
        for value in [*no_object, None]:
            assert guest.browser.post("/v1/checkout", value).status in (400, 422), value


def test_a_price_an_owner_or_a_role_from_the_browser_is_refused(world: World, guest: Guest) -> None:
    """Decision 10: not ignored, refused, so that nobody believes it had an effect."""
    with untouched(world):
        for path in (
            "amount_cad",
            "total_cad",
            "user_id",
            "account.role",
            "account.id",
            "billing.discount_cad",
        ):
            assert faulty_fields(guest.browser.post("/v1/checkout", changed(path, "1"))) == [path]


def test_text_that_is_no_json_is_refused(world: World, guest: Guest) -> None:
    with untouched(world):
        for body in ("{", "{'a': 1}", "rien", "[" * 60_000, '{"account": "\x01"}'):
            answer = guest.browser.post("/v1/checkout", body)
            assert refusal(answer) == (
                400,
                "MALFORMED_JSON",
                "Le corps de la requête n'est pas un JSON valide.",
            ), body[:20]


def test_ten_thousand_characters_are_refused_everywhere(world: World, guest: Guest) -> None:
    with untouched(world):
        for path in [*REQUIRED, "account.phone"]:
            answer = guest.browser.post("/v1/checkout", changed(path, "1" * 10_000))
            assert faulty_fields(answer) == [path]
        assert guest.browser.post("/v1/checkout/email-check", {"email": "z" * 10_000}).status == 422


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "a\x1fb", "a\x7fb"])
def test_characters_that_are_no_text_are_refused(world: World, guest: Guest, text: str) -> None:
    with untouched(world):
        for path in [*LINES, "account.phone"]:
            assert faulty_fields(guest.browser.post("/v1/checkout", changed(path, text))) == [path]


def test_a_password_that_is_no_text_is_refused(world: World, guest: Guest) -> None:
    password = "mot de passe \ud800"
    account = FORM["account"] | {"password": password, "password_confirmation": password}
    with untouched(world):
        fields = faulty_fields(guest.sends_form(account=account))
        assert fields == ["account.password", "account.password_confirmation"]


# --- Somebody else's checkout -------------------------------------------------------------------------------


def test_a_stranger_learns_nothing_of_a_checkout(world: World, course: UUID, guest: Guest) -> None:
    guest.starts().pays()
    other = Guest(world, "autre@exemple.ca").chooses(wanted(course, ELEVEN)).starts()
    nobody = world.browser()
    path = f"/v1/checkout/{guest.checkout_id}"

    with untouched(world):
        answers = [
            nobody.get(path),
            other.browser.get(path),
            nobody.get(path, x_client_secret=""),
            nobody.get(path, x_client_secret="faux"),
            nobody.get(path, x_client_secret=other.client_secret),
            nobody.get(path, x_client_secret=guest.client_secret + "x"),
            guest.browser.get(f"/v1/checkout/{uuid4()}"),
            nobody.get(f"/v1/checkout/{uuid4()}", x_client_secret=guest.client_secret),
        ]
    assert {refusal(answer) for answer in answers} == {(404, "CHECKOUT_NOT_FOUND", "Paiement introuvable")}


def test_the_right_secret_opens_it(world: World, guest: Guest) -> None:
    """Negative control of the test above."""
    guest.starts().pays()
    answer = world.browser().get(f"/v1/checkout/{guest.checkout_id}", x_client_secret=guest.client_secret)
    assert (answer.status, answer.body["status"]) == (200, "settled")


def test_an_id_that_is_none_is_refused(world: World, guest: Guest) -> None:
    with untouched(world):
        assert faulty_fields(guest.browser.get("/v1/checkout/1")) == ["checkout_id"]


def test_a_bearer_token_that_opens_nothing_is_refused(world: World, guest: Guest) -> None:
    guest.starts()
    with untouched(world):
        assert guest.asks(authorization="Bearer faux").code == "UNAUTHENTICATED"


# --- Stripe fails -------------------------------------------------------------------------------------------

UNAVAILABLE = (
    503,
    "PAYMENT_UNAVAILABLE",
    "Le service de paiement ne répond pas. Rien n'a été débité. Veuillez réessayer dans un instant.",
)


def payable(world: World, *guests: Guest) -> list[str]:
    """The intents that somebody could pay: still open, and their secret was told."""
    told = {guest.started["client_secret"] for guest in guests if guest.started}
    return [
        intent["id"]
        for intent in world.stripe.all("payment_intent")
        if intent["status"] == "requires_payment_method" and intent["client_secret"] in told
    ]


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("rate_limit", 1),
        ("server_error", 1),
        ("server_error_after_commit", 1),
        ("timeout_before", 9),
        ("timeout_after_commit", 9),
        ("connection_reset", 9),
    ],
)
def test_while_stripe_fails_nothing_is_booked_and_the_same_form_works_later(
    world: World, guest: Guest, fault: Kind, times: int
) -> None:
    world.stripe.faults.add(fault, method="POST", path="/v1/payment_intents", times=times)
    answer = guest.sends_form()
    assert refusal(answer) == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"
    assert (world.count("orders"), world.count("appointments"), guest.cart["total_cad"]) == (0, 0, "45.00")

    world.stripe.faults.clear()
    guest.starts()
    assert payable(world, guest) == [guest.intent_id]
    guest.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert guest.asks().body["status"] == "settled"
    assert (world.count("orders"), world.count("appointments"), world.count("refunds")) == (1, 1, 0)


@pytest.mark.parametrize(
    "fault", ["rate_limit", "timeout_before", "timeout_after_commit", "connection_reset"]
)
def test_a_call_that_was_lost_leaves_one_intent_at_stripe(world: World, guest: Guest, fault: Kind) -> None:
    world.stripe.faults.add(fault, method="POST", path="/v1/payment_intents", times=9)
    guest.sends_form()
    world.stripe.faults.clear()
    guest.starts()

    assert [intent["id"] for intent in world.stripe.all("payment_intent")] == [guest.intent_id]


def test_while_stripe_is_down_the_status_call_says_so(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.stripe.faults.add("connection_reset", times=9)
    assert refusal(guest.asks()) == UNAVAILABLE
    assert world.count("orders") == 0

    world.stripe.faults.clear()
    world.clock.advance(seconds=5)
    assert guest.asks().body["status"] == "settled"


def test_a_cart_paid_while_stripe_did_not_answer_is_settled_by_the_next_form(
    world: World, guest: Guest
) -> None:
    guest.starts().pays()
    answer = guest.sends_form()

    (order,) = world.rows("SELECT id FROM orders")
    assert (answer.status, answer.body["status"], answer.body["order_id"]) == (
        201,
        "settled",
        str(order["id"]),
    )
    assert answer.body["client_secret"] is None
    assert len(world.stripe.all("payment_intent")) == 1


# --- The same cart again ------------------------------------------------------------------------------------


def test_the_same_form_twice_is_one_payment(world: World, guest: Guest) -> None:
    first, second = guest.sends_form(), guest.sends_form()

    assert first.body == second.body
    assert len(world.stripe.all("payment_intent")) == world.count("checkouts") == 1


OTHERWISE = {
    "email": {"email": "zoe.tremblay@exemple.ca"},
    "first_name": {"first_name": "Zoée"},
    "last_name": {"last_name": "Roy"},
    "phone": {"phone": "514 555-0199"},
    "password": dict.fromkeys(("password", "password_confirmation"), "nouveau mot"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_other_details_are_another_payment_and_the_old_one_cannot_be_made(
    world: World, guest: Guest, what: str
) -> None:
    old = guest.starts().started
    corrected = FORM["account"] | {"email": guest.email} | OTHERWISE[what]
    guest.started = guest.sends_form(account=corrected).body

    statuses = {intent["id"]: intent["status"] for intent in world.stripe.all("payment_intent")}
    assert statuses == {old["payment_intent_id"]: "canceled", guest.intent_id: "requires_payment_method"}
    assert world.rows("SELECT status::text, buyer IS NULL AS forgotten FROM checkouts ORDER BY 1") == [
        {"status": "cancelled", "forgotten": True},
        {"status": "open", "forgotten": False},
    ]
    guest.pays()
    world.webhooks()
    (opened,) = world.rows("SELECT * FROM users WHERE role = 'student'")
    assert opened["email"] == corrected["email"]
    assert (opened["first_name"], opened["last_name"]) == (corrected["first_name"], corrected["last_name"])
    assert opened["phone"] == "+1" + "".join(c for c in corrected["phone"] if c.isdigit())
    assert is_password(corrected["password"], opened["password_hash"])


def test_another_address_alone_is_the_same_payment(world: World, guest: Guest) -> None:
    first = guest.sends_form()
    second = guest.sends_form(billing=FORM["billing"] | {"address": "2, rue Neuve"})

    assert second.body == first.body
    assert len(world.stripe.all("payment_intent")) == 1
    assert world.rows("SELECT billing->>'address' AS address FROM checkouts") == [{"address": "2, rue Neuve"}]


def test_a_cart_that_changed_gets_a_new_payment_and_the_old_one_is_withdrawn(
    world: World, course: UUID, guest: Guest
) -> None:
    old = guest.starts().started
    guest.chooses(wanted(course, ELEVEN)).starts()

    statuses = {intent["id"]: intent["status"] for intent in world.stripe.all("payment_intent")}
    assert statuses == {
        old["payment_intent_id"]: "canceled",
        guest.intent_id: "requires_payment_method",
    }
    assert (old["amount_cad"], guest.started["amount_cad"]) == ("45.00", "90.00")
    with pytest.raises(Exception, match="canceled"):
        world.pay(old["payment_intent_id"])
    assert guest.browser.get(f"/v1/checkout/{old['checkout_id']}").body["status"] == "failed"


def test_a_coupon_put_on_the_cart_gets_a_new_payment(world: World, guest: Guest) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    guest.starts().uses_coupon("SAVE10").starts()

    intents = world.stripe.all("payment_intent")
    assert [(intent["status"], intent["amount"]) for intent in intents] == [
        ("canceled", 4500),
        ("requires_payment_method", 4050),
    ]


def test_a_payment_cancelled_at_stripe_is_replaced(world: World, guest: Guest) -> None:
    guest.starts()
    old = guest.intent_id
    stripe_payments().cancel_intent(old)

    guest.starts()
    assert guest.intent_id != old
    assert payable(world, guest) == [guest.intent_id]
    guest.pays()
    assert guest.asks().body["status"] == "settled"


def test_one_form_sent_twice_at_the_same_time_is_one_payment(world: World, guest: Guest) -> None:
    answers = at_once(*([lambda: started(world, guest, "zoe@exemple.ca")] * 2))

    first, second = (answer.result() for answer in answers)
    assert (first.payment_intent_id, first.client_secret) == (second.payment_intent_id, second.client_secret)
    assert len(world.stripe.all("payment_intent")) == world.count("checkouts") == 1


def test_two_emails_at_the_same_time_leave_one_payment(world: World, guest: Guest) -> None:
    """The other tab's form arrives while Stripe still thinks about the first."""
    thinking = world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents")

    def the_other_tab() -> CheckoutStarted:
        thinking.reached.wait(20)
        try:
            return started(world, guest, "b@exemple.ca")
        finally:
            thinking.release()

    first, second = at_once(lambda: started(world, guest, "a@exemple.ca"), the_other_tab)
    assert first.result().payment_intent_id != second.result().payment_intent_id
    (left,) = [i["id"] for i in world.stripe.all("payment_intent") if i["status"] != "canceled"]
    assert left == first.result().payment_intent_id  # it came to its end last
    world.pay(left)
    world.webhooks()
    assert (world.count("orders"), world.count("refunds")) == (1, 0)


def test_a_cart_changed_while_stripe_thinks_leaves_one_payment(
    world: World, course: UUID, guest: Guest
) -> None:
    thinking = world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents")

    def the_other_tab() -> CheckoutStarted:
        thinking.reached.wait(20)
        try:
            adds_to_the_cart(world, guest, session(course, ELEVEN))
            return started(world, guest, "zoe@exemple.ca")
        finally:
            thinking.release()

    first, second = at_once(lambda: started(world, guest, "zoe@exemple.ca"), the_other_tab)
    assert [answer.result().amount_cad for answer in (first, second)] == ["90.00", "90.00"]
    open_intents = [i["amount"] for i in world.stripe.all("payment_intent") if i["status"] != "canceled"]
    assert open_intents == [9000]


def adds_to_the_cart(world: World, guest: Guest, *sessions: WantedSession) -> None:
    """The use case behind POST /v1/cart/items, on a connection of its own."""
    buyer = Buyer.guest(guest.browser.cookies["__Host-cart_session_id"])
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        add_items(connection, buyer, lambda: buyer, sessions, world.clock())


def started(world: World, guest: Guest, email: str) -> CheckoutStarted:
    """The use case behind POST /v1/checkout, on a connection of its own."""
    buyer = Buyer.guest(guest.browser.cookies["__Host-cart_session_id"])
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        return start_checkout(
            connection,
            stripe_payments(),
            buyer,
            StartCheckout.model_validate(form(email)),
            "pk_test",
            world.clock(),
        )
