"""Nobody sees or changes what is another's: every route that carries an id or a token, at every stranger's hand.

A route with a parameter that is not in the table fails the first test.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from domain.errors import CATALOGUE
from local import openapi
from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer, Browser
from tests.support.dojo import ACCOUNT, Dojo
from tests.support.guest import Guest
from tests.support.people import PASSWORD, account, hashed, signed_in
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

METHODS = {"get", "post", "put", "patch", "delete"}
PROBLEM = {"type", "title", "status", "detail", "code", "instance"}
PUBLIC = {
    ("GET", "/v1/courses/{slug}"),
    ("GET", "/v1/courses/{slug}/availability"),
    ("GET", "/v1/courses/{slug}/slots"),
    ("GET", "/v1/trainings/{slug}"),
}
"""What everybody may read; the tests of privacy say that it tells of nobody."""

STUDENTS = {
    "nobody": "UNAUTHENTICATED",
    "a guest": "UNAUTHENTICATED",
    "a student": "{thing}_NOT_FOUND",
    "a suspended student": "{thing}_NOT_FOUND",
    "the tutor": "FORBIDDEN",
    "an administrator": "FORBIDDEN",
}
ADMINISTRATORS = {
    "nobody": "UNAUTHENTICATED",
    "a guest": "UNAUTHENTICATED",
    "a student": "FORBIDDEN",
    "a suspended student": "FORBIDDEN",
    "the tutor": "FORBIDDEN",
}
BUYERS = dict.fromkeys(("nobody", "a guest", "a student"), "ITEM_NOT_FOUND") | dict.fromkeys(
    ("a suspended student", "the tutor", "an administrator"), "BOOKING_NOT_ALLOWED"
)
LEARNERS = BUYERS | {
    "a suspended student": "ACCOUNT_SUSPENDED",
    "the tutor": "PURCHASE_NOT_ALLOWED",
    "an administrator": "PURCHASE_NOT_ALLOWED",
}
EVERYBODY = dict.fromkeys(STUDENTS, "{thing}_NOT_FOUND")


@dataclass(frozen=True)
class Row:
    """What strangers are told, by who they are; what the owner is answered, who proves that there is something."""

    strangers: dict[str, str]
    thing: str
    owner: int = 200
    body: Any = None

    def refusal(self, caller: str) -> str:
        return self.strangers[caller].format(thing=self.thing)


TO_MOVE = {"start": toronto(22, 10).isoformat(), "reason": "Examen"}
TABLE: dict[tuple[str, str], Row] = {
    ("DELETE", "/v1/cart/items/{item_id}"): Row(BUYERS, "ITEM"),
    ("GET", "/v1/checkout/{checkout_id}"): Row(EVERYBODY, "CHECKOUT"),
    ("DELETE", "/v1/trainings/cart/items/{item_id}"): Row(LEARNERS, "ITEM"),
    ("GET", "/v1/trainings/checkout/{checkout_id}"): Row(EVERYBODY, "CHECKOUT"),
    ("GET", "/v1/appointments/{appointment_id}"): Row(STUDENTS, "APPOINTMENT"),
    ("GET", "/v1/appointments/{appointment_id}/calendar.ics"): Row(STUDENTS, "APPOINTMENT"),
    ("GET", "/v1/appointments/{appointment_id}/reschedule-slots"): Row(STUDENTS, "APPOINTMENT"),
    ("POST", "/v1/appointments/{appointment_id}/cancel"): Row(STUDENTS, "APPOINTMENT", body={}),
    ("POST", "/v1/appointments/{appointment_id}/reschedule"): Row(
        STUDENTS | {"a suspended student": "BOOKING_NOT_ALLOWED"}, "APPOINTMENT", body=TO_MOVE
    ),
    ("GET", "/v1/orders/{order_id}"): Row(STUDENTS, "ORDER"),
    ("GET", "/v1/orders/{order_id}/receipt.pdf"): Row(STUDENTS, "ORDER"),
    ("GET", "/v1/calendar/{file}"): Row(EVERYBODY, "CALENDAR"),
    ("GET", "/v1/admin/webhooks/deliveries/{event_id}"): Row(ADMINISTRATORS, "DELIVERY"),
    ("POST", "/v1/admin/webhooks/deliveries/{event_id}/redeliver"): Row(
        ADMINISTRATORS, "DELIVERY", owner=202, body={}
    ),
    ("POST", "/v1/admin/webhooks/redeliveries/{redelivery_id}/stop"): Row(ADMINISTRATORS, "REDELIVERY"),
    ("POST", "/v1/admin/webhooks/endpoints/{name}/pause"): Row(ADMINISTRATORS, "ENDPOINT", owner=422),
    ("POST", "/v1/admin/webhooks/endpoints/{name}/resume"): Row(ADMINISTRATORS, "ENDPOINT", body={}),
    # Make.com has no address here: the administrator learns that, a stranger does not.
    ("POST", "/v1/admin/webhooks/endpoints/{name}/test"): Row(ADMINISTRATORS, "ENDPOINT", owner=422),
}


@dataclass
class Scene:
    """Zoé has booked, fills another cart and has begun to pay it; an administrator has sent something again."""

    world: World
    zoe: BookedStudent
    tutor: UUID
    course: UUID
    ids: dict[str, str]
    training_ids: dict[str, str]
    administrator: Browser

    def ids_in(self, path: str) -> dict[str, str]:
        """What is Zoé's, by the names that a path has for it: carts and checkouts are of two products."""
        return self.ids | (self.training_ids if path.startswith("/v1/trainings") else {})

    def owner(self, path: str) -> Browser:
        if "{file}" in path:
            return self.world.browser()  # whoever has the token
        return self.administrator if path.startswith("/v1/admin/") else self.zoe.browser

    def strangers(self) -> dict[str, Browser]:
        """Everybody else. The guest and the student have carts of their own, and the student an appointment."""
        guest = Guest(self.world, "tom@exemple.ca").chooses(wanted(self.course, toronto(25, 9))).browser
        lea = BookedStudent.of(
            self.world, wanted(self.course, toronto(25, 11)), email="lea@exemple.ca"
        ).browser
        account(self.world, "suspendue@exemple.ca", status="suspended")
        return {
            "nobody": self.world.browser(),
            "a guest": guest,
            "a student": lea,
            "a suspended student": signed_in(self.world, "suspendue@exemple.ca"),
            "the tutor": signed_in(self.world, "roy@exemple.ca"),
            "an administrator": self.administrator,
        }

    def private(self) -> set[str]:
        """What only Zoé, those who teach her and administrators may read."""
        number = self.zoe.gets(f"/v1/orders/{self.ids['order_id']}").body["number"]
        return {
            *("zoe@exemple.ca", "Tremblay", str(self.zoe.user_id), number),
            *(value for name, value in self.ids.items() if name != "name"),
            *self.training_ids.values(),
        }


@pytest.fixture
def scene(world: World) -> Scene:
    course = world.school.course()
    tutor = world.school.tutor(course)
    world.connection.execute(
        "UPDATE users SET email = 'roy@exemple.ca', password_hash = %s WHERE id = %s",
        (hashed(PASSWORD), tutor),
    )
    zoe = BookedStudent.of(world, wanted(course, toronto(20, 10)), wanted(course, toronto(23, 10)))
    given_up = zoe.appointments()[-1]["id"]
    assert zoe.cancels(given_up).status == 200
    account(world, "chef@exemple.ca", "admin")
    administrator = signed_in(world, "chef@exemple.ca")
    feed = success(zoe.browser.post("/v1/me/calendar", None)).body["url"]
    period = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "dry_run": False}
    (event, *_) = world.rows(
        "UPDATE outbox SET status = 'delivered', delivered_at = now() RETURNING event_id"
    )
    again = success(administrator.post("/v1/admin/webhooks/redeliveries", period)).body
    ids = {
        **begins_to_pay(zoe.browser, course),
        "appointment_id": zoe.appointments(which="upcoming")[0]["id"],
        "cancelled_id": given_up,
        "order_id": success(zoe.browser.get("/v1/orders")).body["items"][0]["id"],
        "file": feed.rpartition("/")[2],
        "event_id": str(event["event_id"]),
        "redelivery_id": again["redelivery_id"],
        "name": "BOOKING",
    }
    training_ids = begins_to_pay_a_training(zoe.browser, Dojo(world).ccvm)
    return Scene(world, zoe, tutor, course, ids, training_ids, administrator)


def begins_to_pay(buyer: Browser, course: UUID, **form: Any) -> dict[str, str]:
    cart = success(buyer.post("/v1/cart/items", {"items": [wanted(course, toronto(21, 14))]})).body
    started = success(buyer.post("/v1/checkout", {"billing": FORM["billing"]} | form)).body
    return {"item_id": cart["items"][0]["id"], "checkout_id": started["checkout_id"]}


def begins_to_pay_a_training(buyer: Browser, training: UUID, **form: Any) -> dict[str, str]:
    cart = success(buyer.post("/v1/trainings/cart/items", {"training_id": str(training)})).body
    started = success(buyer.post("/v1/trainings/checkout", form)).body
    return {"item_id": cart["items"][0]["id"], "checkout_id": started["checkout_id"]}


def success(answer: Answer) -> Answer:
    assert answer.status < 300, answer.text
    return answer


def assert_refused(answer: Answer, code: str, caller: str, private: set[str]) -> None:
    assert (answer.status, answer.code) == (CATALOGUE[code].status, code), caller
    assert answer.status in (401, 403, 404)
    assert set(answer.body) == PROBLEM, caller
    assert answer.body["detail"] == CATALOGUE[code].detail
    told = answer.text + json.dumps(answer.headers) + json.dumps(answer.cookies)
    assert [secret for secret in private if secret in told] == [], caller
    assert not [cookie for cookie in answer.cookies if cookie.startswith("__Host-session=")], caller


def test_every_route_with_a_parameter_is_in_the_table() -> None:
    paths: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text("utf-8"))["paths"]
    routes = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations.keys() & METHODS
        if "{" in path
    }

    assert routes == TABLE.keys() | PUBLIC


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
def test_a_stranger_is_told_nothing_and_changes_nothing(scene: Scene, route: tuple[str, str]) -> None:
    """Exactly what they are told of what does not exist. The owner at last: there was something to tell."""
    method, path = route
    row, strangers, private = TABLE[route], scene.strangers(), scene.private()
    nothing = path.format_map(dict.fromkeys(scene.ids, "00000000-0000-4000-8000-000000000000"))
    address = (
        nothing if "{file}" in path else path.format_map(scene.ids_in(path))
    )  # a token is known to nobody else
    calls = len(scene.world.stripe.calls)

    for caller in row.strangers:
        with nothing_written(scene.world.connection):
            answer = strangers[caller].request(method, address, row.body)
            of_nothing = strangers[caller].request(method, nothing, row.body)
        assert_refused(answer, row.refusal(caller), caller, private)
        assert without_instance(answer) == without_instance(of_nothing), caller
    assert len(scene.world.stripe.calls) == calls

    answer = scene.owner(path).request(method, path.format_map(scene.ids_in(path)), row.body)
    assert answer.status == row.owner, answer.text


def without_instance(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = answer.body
    return body | {"instance": ""}


# --- what belongs to a guest ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route", [route for route in TABLE if "item_id" in route[1] or "checkout_id" in route[1]], ids=" ".join
)
def test_what_is_a_guest_s_is_nobody_else_s(scene: Scene, route: tuple[str, str]) -> None:
    method, path = route
    owner = scene.world.browser()
    if path.startswith("/v1/trainings"):
        training = scene.world.rows("SELECT id FROM trainings")[0]["id"]
        ids = begins_to_pay_a_training(owner, training, account=ACCOUNT | {"email": "max@exemple.ca"})
    else:
        success(scene.zoe.browser.delete(f"/v1/cart/items/{scene.ids['item_id']}"))  # the time is free again
        ids = begins_to_pay(owner, scene.course, account=FORM["account"] | {"email": "max@exemple.ca"})
    strangers = scene.strangers() | {"Zoé": scene.zoe.browser}
    expected = TABLE[route].strangers | {"Zoé": TABLE[route].strangers["a student"]}

    for caller, code in expected.items():
        with nothing_written(scene.world.connection):
            answer = strangers[caller].request(method, path.format_map(ids), None)
        code = code.format(thing=TABLE[route].thing)
        assert_refused(answer, code, caller, {"max@exemple.ca", *ids.values()})

    assert owner.request(method, path.format_map(ids), None).status == 200


def test_a_checkout_is_found_at_its_own_product_s_address_alone(scene: Scene) -> None:
    zoe = scene.zoe.browser
    for path, ids in (
        ("/v1/checkout/", scene.training_ids),
        ("/v1/trainings/checkout/", scene.ids),
        ("/v1/cart/items/", scene.training_ids),
        ("/v1/trainings/cart/items/", scene.ids),
    ):
        name, method = ("checkout_id", "GET") if "checkout" in path else ("item_id", "DELETE")
        with nothing_written(scene.world.connection):
            answer = zoe.request(method, f"{path}{ids[name]}", None)
        assert answer.status == 404, path


def test_the_secret_of_another_payment_opens_nothing(scene: Scene) -> None:
    """`X-Client-Secret` is for the page that came back without its cookie."""
    tom = Guest(scene.world, "tom@exemple.ca").chooses(wanted(scene.course, toronto(25, 9))).starts()
    path = f"/v1/checkout/{scene.ids['checkout_id']}"

    for secret in (tom.client_secret, "", "x", scene.ids["checkout_id"]):
        with nothing_written(scene.world.connection):
            answer = scene.world.browser().request("GET", path, headers={"x_client_secret": secret})
        assert_refused(answer, "CHECKOUT_NOT_FOUND", secret, scene.private())


# --- tokens -----------------------------------------------------------------------------------------------------


def test_only_the_whole_token_opens_a_calendar(scene: Scene) -> None:
    token = scene.ids["file"].removesuffix(".ics")
    others = {
        token[:-1],
        token + "A",
        token.swapcase(),
        "%" * len(token),
        "_" * len(token),
        "",
        token[:43] + "\0",
    }

    for other in others:
        with nothing_written(scene.world.connection):
            answer = scene.world.browser().get(f"/v1/calendar/{other}.ics")
        assert answer.status in (404, 422), other
        assert answer.code in ("CALENDAR_NOT_FOUND", "NOT_FOUND", "VALIDATION_FAILED"), other


def test_an_address_that_was_replaced_opens_nothing(scene: Scene) -> None:
    success(scene.zoe.browser.post("/v1/me/calendar", None))

    answer = scene.world.browser().get(f"/v1/calendar/{scene.ids['file']}")

    assert_refused(answer, "CALENDAR_NOT_FOUND", "who had the old one", scene.private())


# --- routes without an id: each person has their own ------------------------------------------------------------


def test_what_people_see_of_their_own_holds_nothing_of_anybody_else_s(scene: Scene) -> None:
    private, strangers = scene.private() - {"Tremblay"}, scene.strangers()  # it is Léa's name, too
    seen = set()
    for path in ("/v1/appointments", "/v1/orders", "/v1/credits"):
        assert scene.zoe.browser.get(path).body["items"], path  # the control: there is something to be seen

    own = ("/v1/me", "/v1/cart", "/v1/appointments", "/v1/orders", "/v1/credits", "/v1/me/calendar")
    for path in (*own, "/v1/trainings/cart", "/v1/me/enrolments"):
        for caller, browser in strangers.items():
            answer = browser.get(path)
            assert [secret for secret in private if secret in answer.text] == [], (caller, path)
        seen |= {secret for secret in private if secret in scene.zoe.browser.get(path).text}

    of_administrators = {scene.ids["event_id"], scene.ids["redelivery_id"]}
    of_no_list = {scene.ids["checkout_id"], scene.training_ids["checkout_id"]}
    assert seen == private - of_administrators - of_no_list  # the control: Zoé sees it all
