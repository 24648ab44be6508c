"""The operations of the domain that are one transaction, each set up to be done once: see who tries them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import stripe

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, complete, reactivate, refund, reopen
from domain.checkout.refund_order import refund_order
from functions.appointment_completion import app as appointment_completion
from functions.reminders import app as reminders
from tests.support.booked_student import BookedStudent
from tests.support.browser import CONTEXT
from tests.support.dojo import Dojo
from tests.support.guest import Guest
from tests.support.people import account, sign_in
from tests.support.selling import SHOP
from tests.support.world import World, toronto, wanted

TEN, TWO = toronto(20, 10), toronto(22, 14)


@dataclass
class Shop:
    """One course at 45.00 an hour and one tutor, and an administrator."""

    world: World
    course: UUID
    roy: UUID
    admin: By

    @classmethod
    def of(cls, world: World) -> "Shop":
        course = world.school.course()
        admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
        return cls(world, course, world.school.tutor(course), admin)

    @property
    def now(self) -> datetime:
        return self.world.clock()

    def booked(self) -> BookedStudent:
        return BookedStudent.of(self.world, wanted(self.course, TEN))

    def starts(self) -> Guest:
        return Guest(self.world).chooses(wanted(self.course, TEN)).starts()

    def id(self) -> UUID:
        return UUID(str(self.world.rows("SELECT id FROM appointments")[0]["id"]))

    def status(self) -> str:
        return str(self.world.rows("SELECT status::text FROM appointments")[0]["status"])


type Ready = tuple[str, Callable[[], object], object]
"""A table that the operation writes to, the operation, and what it answers when it is done."""

type Play = Callable[[Shop], Ready]
OPERATIONS: dict[str, Play] = {}


def operation(name: str) -> Callable[[Play], Play]:
    """Enter the play of `module.function` in the table."""

    def enter(play: Play) -> Play:
        OPERATIONS[name] = play
        return play

    return enter


@operation("add_items.add_items")
def adding(shop: Shop) -> Ready:
    browser = shop.world.browser()
    return "cart_sessions", lambda: shop.world.add(browser, shop.course, TEN).status, 201


@operation("freeze._freeze")
def starting_to_pay(shop: Shop) -> Ready:
    guest = Guest(shop.world).chooses(wanted(shop.course, TEN))
    return "checkouts", lambda: guest.sends_form().status, 201


@operation("settle._settle")
def settling(shop: Shop) -> Ready:
    shop.starts().pays()
    return "orders", lambda: [answer.status for answer in shop.world.webhooks()], [200]


@operation("settle.settle_without_card")
def settling_without_card(shop: Shop) -> Ready:
    shop.world.school.coupon("GRATUIT", value="100")
    guest = Guest(shop.world).chooses(wanted(shop.course, TEN)).uses_coupon("GRATUIT")
    return "orders", lambda: guest.sends_form().body["status"], "settled"


@operation("close.note_closed")
def noting_that_a_payment_is_closed(shop: Shop) -> Ready:
    shop.starts()
    shop.world.clock.advance(hours=25)
    return "time_claims", lambda: shop.world.reconciliation()["checkouts_cancelled"], 1


@operation("sign_in_buyer._enter")
def signing_in_by_having_paid(shop: Shop) -> Ready:
    guest = shop.starts().pays()
    shop.world.webhooks()
    return "auth_sessions", lambda: guest.asks().body["status"], "settled"


@operation("sign_in._enter")
def signing_in(shop: Shop) -> Ready:
    account(shop.world)
    browser = Guest(shop.world).chooses(wanted(shop.course, TEN)).browser
    return "auth_sessions", lambda: sign_in(browser).status, 200


@operation("sign_in.sign_out")
def signing_out(shop: Shop) -> Ready:
    zoe = shop.booked()
    return "auth_sessions", lambda: zoe.browser.post("/v1/auth/sign-out", {}).status, 204


@operation("follow_refunds.follow_refunds")
def following_the_dashboards_refunds(shop: Shop) -> Ready:
    guest = shop.starts().pays()
    shop.world.webhooks()
    shop.world.stripe.dashboard.refund(guest.intent_id, 2000)
    return "refunds", lambda: {answer.status for answer in shop.world.webhooks("charge.refunded")}, {200}


@operation("disputed.follow_dispute")
def following_a_dispute(shop: Shop) -> Ready:
    guest = shop.starts().pays()
    shop.world.webhooks()
    shop.world.stripe.dashboard.open_dispute(guest.intent_id)
    disputed = "charge.dispute.created"
    return "payment_disputes", lambda: [answer.status for answer in shop.world.webhooks(disputed)], [200]


@operation("refund_order.refund_order")
def refunding_an_order(shop: Shop) -> Ready:
    shop.booked()
    order, admin = shop.world.rows("SELECT id FROM orders")[0]["id"], shop.admin.user_id
    assert admin

    def refunds() -> Decimal:
        refund_order(shop.world.connection, order, Decimal("20.00"), "Geste", admin, SHOP, shop.now)
        return Decimal(shop.world.rows("SELECT refunded_cad FROM orders")[0]["refunded_cad"])

    return "refunds", refunds, Decimal("20.00")


@operation("bring_in_line.bring_one_in_line")
def bringing_an_order_in_line(shop: Shop) -> Ready:
    guest = shop.starts().pays()
    shop.world.webhooks()
    shop.world.stripe.dashboard.refund(guest.intent_id, 2000)
    shop.world.webhooks("charge.refunded")
    # As if the code before line_returns (0018) had heard of it: the refund is there, its lines do not know.
    shop.world.connection.execute("ALTER TABLE line_returns DISABLE TRIGGER ALL")
    shop.world.connection.execute("DELETE FROM line_returns")
    shop.world.connection.execute("ALTER TABLE line_returns ENABLE TRIGGER ALL")
    shop.world.connection.execute("UPDATE order_items SET returned_cad = 0")
    shop.world.connection.execute("UPDATE orders SET refunded_cad = 0, status = 'paid'")

    def reconciles() -> Decimal:
        shop.world.reconciliation()
        return Decimal(shop.world.rows("SELECT returned_cad FROM order_items")[0]["returned_cad"])

    return "line_returns", reconciles, Decimal("20.00")


@operation("reschedule.reschedule")
def moving(shop: Shop) -> Ready:
    zoe = shop.booked()
    return "session_items", lambda: zoe.moves_to(TWO).status, 200


@operation("change_status.cancel")
def cancelling(shop: Shop) -> Ready:
    zoe = shop.booked()
    return "credit_transactions", lambda: zoe.cancels().status, 200


@operation("change_status.complete")
def completing(shop: Shop) -> Ready:
    shop.booked()
    shop.world.clock.now = toronto(20, 12)

    def completes() -> str:
        complete(shop.world.connection, shop.admin, shop.id(), "dev", shop.now)
        return shop.status()

    return "earnings", completes, "completed"


@operation("change_status.refund")
def refunding_a_session(shop: Shop) -> Ready:
    shop.booked()

    def refunds() -> str:
        refund(shop.world.connection, shop.admin, shop.id(), "Geste", shop.now)
        return shop.status()

    return "earnings", refunds, "refunded"


@operation("change_status.reactivate")
def reactivating(shop: Shop) -> Ready:
    shop.booked()
    cancel(shop.world.connection, shop.admin, shop.id(), None, "dev", shop.now)

    def reactivates() -> str:
        reactivate(shop.world.connection, shop.admin, shop.id(), "Erreur", shop.now)
        return shop.status()

    return "time_claims", reactivates, "scheduled"


@operation("change_status.reopen")
def reopening(shop: Shop) -> Ready:
    shop.booked()
    shop.world.clock.now = toronto(20, 12)
    complete(shop.world.connection, shop.admin, shop.id(), "dev", shop.now)

    def reopens() -> str:
        reopen(shop.world.connection, shop.admin, shop.id(), "Erreur", shop.now)
        return shop.status()

    return "earnings", reopens, "scheduled"


@operation("completion.complete_past")
def completing_what_is_over(shop: Shop) -> Ready:
    shop.booked()
    at = (toronto(20, 11) + timedelta(hours=3)).isoformat()
    return (
        "earnings",
        lambda: appointment_completion.lambda_handler({"time": at}, CONTEXT),
        {"appointments_completed": 1},
    )


@operation("reminders.remind")
def reminding(shop: Shop) -> Ready:
    shop.booked()
    at = (TEN - timedelta(hours=24)).isoformat()
    return "outbox", lambda: reminders.lambda_handler({"time": at}, CONTEXT), {"reminders_sent": 1}


@operation("change_cart.add_training")
def adding_a_training(shop: Shop) -> Ready:
    dojo = Dojo(shop.world)
    return "cart_trainings", lambda: dojo.buyer().adds(dojo.ccvm).status, 201


@operation("change_cart.remove_training")
def removing_a_training(shop: Shop) -> Ready:
    dojo = Dojo(shop.world)
    zoe = dojo.buyer().chooses(dojo.ccvm)
    path = f"/v1/trainings/cart/items/{zoe.cart()['items'][0]['id']}"
    return "cart_trainings", lambda: zoe.browser.delete(path).body["items"], []


@operation("change_cart.apply_coupon")
def applying_a_coupon_to_trainings(shop: Shop) -> Ready:
    dojo = Dojo(shop.world)
    dojo.coupon("DOJO15", "percent", "15")
    zoe = dojo.buyer().chooses(dojo.ccvm)
    return "carts", lambda: zoe.applies("DOJO15").status, 200


@operation("change_cart.remove_coupon")
def removing_a_coupon_from_trainings(shop: Shop) -> Ready:
    dojo = Dojo(shop.world)
    dojo.coupon("DOJO15", "percent", "15")
    zoe = dojo.buyer().chooses(dojo.ccvm).uses_coupon("DOJO15")
    return "carts", lambda: zoe.browser.delete("/v1/trainings/cart/coupon").body["coupon"], None


@operation("look_at_cart._renew_alone")
def looking_at_a_cart_that_changed(shop: Shop) -> Ready:
    dojo = Dojo(shop.world)
    zoe = dojo.buyer().chooses(dojo.ccvm)
    dojo.change(dojo.ccvm, price_cad="199.00")
    return "carts", lambda: len(zoe.cart()["notices"]), 1


@operation("failures.tell_failure")
def telling_that_a_card_was_refused(shop: Shop) -> Ready:
    guest = shop.starts()
    with suppress(stripe.CardError):
        guest.pays("pm_card_chargeDeclined")
    kind = "payment_intent.payment_failed"
    return "checkouts", lambda: [answer.status for answer in shop.world.webhooks(kind)], [200]
