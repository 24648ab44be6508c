"""What visitors and students ask of a school, under a watch. One round leaves as much behind, however long the past."""

import json
from decimal import Decimal
from uuid import UUID, uuid4

from adapters import database
from bench.scene import DAY, HOUR, Scene, got
from domain.checkout.refund_order import refund_order
from tests.support.people import PASSWORD
from tests.support.selling import SHOP
from tests.support.shop import SLUG
from tests.support.world import FORM, form

FULL, SHORT = {"limit": "20"}, {"limit": "2"}
"""Pages that the shortest past fills: a student has had fifty sessions in it, of which three were cancelled."""


def visit(scene: Scene, place: int) -> None:
    """Everything once, the `place`th time."""
    look_around(scene)
    fill_a_cart(scene)
    buy_as_a_guest(scene, place)
    buy_as_a_student(scene)
    come_back_with_a_cart(scene)
    look_at_ones_own(scene)
    change_appointments(scene, place)
    lose_a_password(scene)


def look_around(scene: Scene) -> None:
    guest, watch = scene.world.browser(), scene.watch
    day = (scene.now + 9 * DAY).date()
    with watch.over("search the courses"):
        got(guest.get("/v1/courses", {"search": "cours"}))
    with watch.over("a course and its tutors"):
        got(guest.get(f"/v1/courses/{SLUG}"))
    with watch.over("free times of a day"):
        got(guest.get(f"/v1/courses/{SLUG}/slots", {"date": str(day), "duration": "60"}))
    with watch.over("free days of a month"):
        month = {"from": str(day), "to": str(day + 30 * DAY), "duration": "60"}
        got(guest.get(f"/v1/courses/{SLUG}/availability", month))


def fill_a_cart(scene: Scene) -> None:
    guest, watch = scene.world.browser(), scene.watch
    with watch.over("add to a cart, a new guest"):
        scene.adds(guest)
    with watch.over("add to a cart, one more"):
        scene.adds(guest)
    with watch.over("view a cart"):
        cart = got(guest.get("/v1/cart")).body
    with watch.over("put a coupon on a cart"):
        got(guest.put("/v1/cart/coupon", {"code": "RABAIS"}))
    with watch.over("take a coupon off a cart"):
        got(guest.delete("/v1/cart/coupon"))
    with watch.over("take a session out of a cart"):
        got(guest.delete(f"/v1/cart/items/{cart['items'][0]['id']}"))
    with watch.over("has an e-mail an account"):
        got(guest.post("/v1/checkout/email-check", {"email": scene.email}))


def buy_as_a_guest(scene: Scene, place: int) -> None:
    guest, watch = scene.world.browser(), scene.watch
    scene.adds(guest)
    got(guest.put("/v1/cart/coupon", {"code": "RABAIS"}))
    body = form(f"{uuid4().hex}@exemple.ca")
    with watch.over("start a checkout, a guest"):
        started = got(guest.post("/v1/checkout", body, idempotency_key=str(uuid4())), 201).body
    scene.world.pay(started["payment_intent_id"])
    scene.hears("settle a guest's payment", "payment_intent.succeeded")
    with watch.over("follow a payment, and be signed in by it"):
        order = got(guest.get(f"/v1/checkout/{started['checkout_id']}")).body["order"]
    if place % 2:
        give_back(scene, UUID(order["id"]), started["payment_intent_id"])
    else:
        dispute(scene, started["payment_intent_id"])


def give_back(scene: Scene, order_id: UUID, intent_id: str) -> None:
    with scene.watch.over("give money of an order back"):
        refund_order(database.connection(), order_id, Decimal(20), "Geste", scene.cast.admin, SHOP, scene.now)
    scene.world.stripe.dashboard.refund(intent_id, 1000)
    scene.hears("hear of a refund made by hand", "charge.refunded")


def dispute(scene: Scene, intent_id: str) -> None:
    opened = scene.world.stripe.dashboard.open_dispute(intent_id)
    scene.hears("hear of a dispute", "charge.dispute.created")
    scene.world.stripe.dashboard.close_dispute(opened["id"], "won")
    scene.hears("hear that a dispute is won", "charge.dispute.closed")


def buy_as_a_student(scene: Scene) -> None:
    student, watch = scene.signed_in(scene.student), scene.watch
    with watch.over("add to a cart, a student"):
        scene.adds(student)
    with watch.over("view a student's cart"):
        got(student.get("/v1/cart"))
    body = {"billing": FORM["billing"], "credits_cad": "10.00"}
    with watch.over("start a checkout, a student"):
        started = got(student.post("/v1/checkout", body, idempotency_key=str(uuid4())), 201).body
    with watch.over("start it again"):
        got(student.post("/v1/checkout", body, idempotency_key=str(uuid4())), 201)
    with watch.over("follow a payment that is not made"):
        got(student.get(f"/v1/checkout/{started['checkout_id']}"))
    scene.world.pay(started["payment_intent_id"])
    scene.hears("settle a student's payment", "payment_intent.succeeded")
    with watch.over("follow a payment"):
        got(student.get(f"/v1/checkout/{started['checkout_id']}"))
    with watch.over("pay again for what was just bought"):
        got(student.post("/v1/checkout", body, idempotency_key=str(uuid4())), 201)
    scene.adds(student)
    with watch.over("pay with credits alone"):
        got(student.post("/v1/checkout", body | {"credits_cad": "all"}), 201)


def come_back_with_a_cart(scene: Scene) -> None:
    student, watch = scene.world.browser(), scene.watch
    scene.adds(student)
    with watch.over("sign in with a guest's cart"):
        got(student.post("/v1/auth/sign-in", {"email": scene.email, "password": PASSWORD}))
    with watch.over("who is signed in"):
        got(student.get("/v1/me"))
    (item,) = got(student.get("/v1/cart")).body["items"]
    got(student.delete(f"/v1/cart/items/{item['id']}"))
    with watch.over("sign out"):
        got(student.post("/v1/auth/sign-out", {}), 204)


def look_at_ones_own(scene: Scene) -> None:
    student, watch = scene.signed_in(scene.student), scene.watch
    pages = {}
    for path, limit in (("orders", FULL), ("appointments", FULL), ("credits", SHORT)):
        with watch.over(f"own {path}"):
            pages[path] = got(student.get(f"/v1/{path}", limit)).body
        with watch.over(f"own {path}, the next page"):
            got(student.get(f"/v1/{path}", limit | {"cursor": pages[path]["next_cursor"]}))
    for which, limit in (("upcoming", FULL), ("past", FULL), ("cancelled", SHORT)):
        with watch.over(f"own appointments, {which}"):
            pages[which] = got(student.get("/v1/appointments", limit | {"filter": which})).body
    order, appointment = pages["orders"]["items"][-1]["id"], pages["cancelled"]["items"][0]["id"]
    with watch.over("an order"):
        got(student.get(f"/v1/orders/{order}"))
    with watch.over("an order's receipt"):
        got(student.get(f"/v1/orders/{order}/receipt.pdf"))
    with watch.over("a cancelled appointment"):
        got(student.get(f"/v1/appointments/{appointment}"))
    with watch.over("an appointment for a calendar"):
        got(student.get(f"/v1/appointments/{appointment}/calendar.ics"))
    with watch.over("the address of a calendar"):
        address = got(student.get("/v1/me/calendar", host="localhost")).body["url"]
    with watch.over("read a calendar"):
        got(scene.world.browser().get(address.removeprefix("https://localhost")))


def change_appointments(scene: Scene, place: int) -> None:
    student, watch, tutors = scene.signed_in(scene.student), scene.watch, scene.cast.tutors
    evening = scene.now.replace(hour=1) + (5 + place // len(tutors)) * DAY
    moved, cancelled = scene.books(tutors[place % len(tutors)], evening, evening + HOUR)
    with watch.over("where an appointment can move to"):
        slots = got(student.get(f"/v1/appointments/{moved}/reschedule-slots")).body["slots"]
    body = {"start": slots[-1]["start"], "reason": "Conflit d'horaire"}
    with watch.over("move an appointment"):
        got(student.post(f"/v1/appointments/{moved}/reschedule", body, idempotency_key=str(uuid4())))
    with watch.over("cancel an appointment"):
        got(student.post(f"/v1/appointments/{cancelled}/cancel", {}, idempotency_key=str(uuid4())))


def lose_a_password(scene: Scene) -> None:
    guest, watch, email = scene.world.browser(), scene.watch, f"{uuid4().hex}@exemple.ca"
    scene.world.school.user(email)
    with watch.over("ask for a new password"):
        got(guest.post("/v1/auth/password-reset", {"email": email}), 202)
    (event,) = scene.world.rows(
        "SELECT body FROM outbox WHERE type = 'password.reset_requested' AND status = 'pending'"
    )
    token = json.loads(bytes(event["body"]))["payload"]["reset_token"]
    body = {"token": token, "password": "motdepasse", "password_confirmation": "motdepasse"}
    with watch.over("set a new password"):
        got(guest.post("/v1/auth/password-reset/confirm", body), 204)
