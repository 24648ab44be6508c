"""A student's orders of sessions and of trainings: one list, lines of each kind, receipts of each merchant."""

import io
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pypdf
import pytest

from domain.checkout.refund_order import refund_order
from domain.clock import on_toronto_clock
from tests.support.browser import Answer, Browser
from tests.support.dojo import Dojo, Learner
from tests.support.people import account, sign_in, signed_in
from tests.support.selling import SHOP
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto

TEN = toronto(20, 10)
SUMMARY = {
    *("id", "number", "product", "status", "item_count", "titles_fr", "subtotal_cad", "discount_cad"),
    *("coupon_code", "total_cad", "credits_applied_cad", "amount_charged_cad", "refunded_cad", "net_cad"),
    *("currency", "created_at", "refunds"),
}


@dataclass
class Zoe:
    """A student who has bought a training with a coupon and, a day later, an hour with Mme Roy."""

    world: World
    dojo: Dojo
    learner: Learner

    @property
    def browser(self) -> Browser:
        return self.learner.browser

    @property
    def user_id(self) -> UUID:
        user_id: UUID = self.world.rows("SELECT id FROM users WHERE email = 'zoe@exemple.ca'")[0]["id"]
        return user_id

    def books(self, start: datetime = TEN) -> None:
        course = self.world.rows("SELECT id FROM courses")[0]["id"]
        assert self.world.add(self.browser, course, start).status == 201
        started = self.browser.post("/v1/checkout", {"billing": FORM["billing"]})
        assert started.status == 201, started.text
        self.world.pay(started.body["payment_intent_id"])
        assert [answer.status for answer in self.world.webhooks()] == [200]

    def gives_back(self, amount: str, product: str = "training") -> None:
        """What an administrator refunds."""
        [order] = self.world.rows("SELECT id FROM orders WHERE product = %s", product)
        admin = self.world.school.user("chef@exemple.ca", "admin")
        refund_order(
            self.world.connection, order["id"], Decimal(amount), "Geste", admin, SHOP, self.world.clock()
        )

    def orders(self, **query: str) -> list[dict[str, Any]]:
        answer = self.browser.get("/v1/orders", query)
        assert answer.status == 200, answer.text
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    def order(self, product: str) -> dict[str, Any]:
        [summary] = self.orders(product=product)
        answer = self.browser.get(f"/v1/orders/{summary['id']}")
        assert answer.status == 200, answer.text
        body: dict[str, Any] = answer.body
        assert {name: body[name] for name in summary} == summary
        return body

    def receipt(self, product: str = "training") -> Answer:
        [summary] = self.orders(product=product)
        answer = self.browser.get(f"/v1/orders/{summary['id']}/receipt.pdf")
        assert answer.status == 200, answer.text
        return answer

    def reads(self, product: str = "training") -> str:
        return words(self.receipt(product).content)


def words(receipt: bytes) -> str:
    """The text of a receipt, as a reader copies it."""
    pages = pypdf.PdfReader(io.BytesIO(receipt)).pages
    text = "\n".join(page.extract_text() for page in pages)
    return " ".join(text.replace("\u00a0", " ").split())


@pytest.fixture
def dojo(world: World) -> Dojo:
    world.school.tutor(world.school.course("francais"), name="Mme Roy")
    return Dojo(world)


@pytest.fixture
def zoe(world: World, dojo: Dojo) -> Zoe:
    dojo.coupon("DOJO15", "percent", "15")
    learner = dojo.buyer().chooses(dojo.ccvm).uses_coupon("DOJO15").starts().pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert learner.asks().body["status"] == "settled"
    zoe = Zoe(world, dojo, learner)
    world.clock.advance(days=1)
    zoe.books()
    return zoe


# --- The list ---------------------------------------------------------------------------------------------------


def test_orders_of_both_products_stand_in_one_list_newest_first(zoe: Zoe) -> None:
    sessions, trainings = zoe.orders()

    assert set(sessions) == set(trainings) == SUMMARY
    assert (sessions["number"], sessions["product"]) == ("4AS-000002", "tutoring")
    assert (sessions["item_count"], sessions["titles_fr"]) == (1, ["Cours francais"])
    assert (sessions["total_cad"], sessions["net_cad"], sessions["refunds"]) == ("45.00", "45.00", [])
    assert (trainings["number"], trainings["product"]) == ("DOJO-000001", "training")
    assert (trainings["item_count"], trainings["titles_fr"]) == (1, ["CCVM Volume 1"])
    assert (trainings["subtotal_cad"], trainings["discount_cad"], trainings["coupon_code"]) == (
        "299.00",
        "44.85",
        "DOJO15",
    )
    assert (trainings["total_cad"], trainings["amount_charged_cad"], trainings["net_cad"]) == (
        "254.15",
        "254.15",
        "254.15",
    )


@pytest.mark.parametrize(("product", "number"), [("tutoring", "4AS-000002"), ("training", "DOJO-000001")])
def test_the_list_of_one_product(zoe: Zoe, product: str, number: str) -> None:
    assert [order["number"] for order in zoe.orders(product=product)] == [number]


@pytest.mark.parametrize("product", ["", "sessions", "Training", "tutoring,training"])
def test_a_product_that_is_none_is_refused(zoe: Zoe, product: str) -> None:
    answer = zoe.browser.get("/v1/orders", {"product": product})

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.body["errors"]] == ["product"]


def test_a_list_of_one_product_is_read_in_pages_and_its_cursor_is_good_for_no_other(zoe: Zoe) -> None:
    for day in (21, 22, 25):
        zoe.world.clock.advance(minutes=1)
        zoe.books(toronto(day, 10))

    def page(**query: str) -> Answer:
        return zoe.browser.get("/v1/orders", {"limit": "2", **query})

    first = page(product="tutoring")
    cursor = first.body["next_cursor"]
    second = page(product="tutoring", cursor=cursor)
    numbers = [order["number"] for answer in (first, second) for order in answer.body["items"]]
    assert numbers == ["4AS-000005", "4AS-000004", "4AS-000003", "4AS-000002"]
    assert second.body["next_cursor"] is None

    of_all = page().body["next_cursor"]
    for answer in (
        page(cursor=cursor),
        page(product="training", cursor=cursor),
        page(product="tutoring", cursor=of_all),
    ):
        assert (answer.status, answer.code) == (422, "CURSOR_INVALID")
    last = page(cursor=page(cursor=of_all).body["next_cursor"]).body
    assert [order["number"] for order in last["items"]] == ["DOJO-000001"]


def test_refunds_are_lines_of_the_history_and_make_the_net(zoe: Zoe) -> None:
    zoe.gives_back("54.15")

    sessions, trainings = zoe.orders()

    assert sessions["refunds"] == []
    assert (trainings["status"], trainings["refunded_cad"], trainings["net_cad"]) == (
        "partially_refunded",
        "54.15",
        "200.00",
    )
    [pending] = trainings["refunds"]
    assert (pending["amount_cad"], pending["status"], pending["processed_at"]) == ("54.15", "pending", None)
    assert pending["created_at"] == on_toronto_clock(zoe.world.clock()).isoformat()

    zoe.world.clock.advance(minutes=10)
    assert zoe.world.reconcile() == {"refunds_paid": 1, "refunds_waiting": 0}
    [processed] = zoe.order("training")["refunds"]
    assert (processed["amount_cad"], processed["status"]) == ("54.15", "processed")
    assert processed["processed_at"]


def test_titles_stand_as_they_were_sold_in_the_order_s_order(zoe: Zoe) -> None:
    dojo = zoe.dojo
    second, first = (
        dojo.training("b-placements", "Placements", "60.00"),
        dojo.training("a-actions", "Actions", "1.00"),
    )
    zoe.world.clock.advance(minutes=1)
    learner = Learner(zoe.world, signed_in=zoe.browser).chooses(second)
    zoe.world.clock.advance(minutes=1)
    learner.chooses(first).starts().pays()
    zoe.world.webhooks()
    dojo.change(second, title_fr="Autre titre")

    newest = zoe.orders()[0]
    detail = zoe.browser.get(f"/v1/orders/{newest['id']}").body

    assert newest["titles_fr"] == ["Placements", "Actions"]
    assert [line["title_fr"] for line in detail["items"]] == ["Placements", "Actions"]


# --- One order --------------------------------------------------------------------------------------------------


def test_a_line_of_a_training_tells_the_access_it_gave(zoe: Zoe) -> None:
    [enrolment] = zoe.dojo.enrolments()

    [line] = zoe.order("training")["items"]

    assert line == {
        "id": str(enrolment["order_item_id"]),
        "kind": "access",
        "title_fr": "CCVM Volume 1",
        "training_id": str(zoe.dojo.ccvm),
        "slug": "ccvm-volume-1",
        "access_days": 365,
        "price_cad": "299.00",
        "discount_share_cad": "44.85",
        "returned_cad": "0.00",
        "enrolment": {
            "id": str(enrolment["id"]),
            "starts_at": on_toronto_clock(enrolment["starts_at"]).isoformat(),
            "expires_at": on_toronto_clock(enrolment["expires_at"]).isoformat(),
            "status": "active",
        },
    }


def test_a_line_of_a_session_is_what_it_was_and_says_its_kind(zoe: Zoe) -> None:
    zoe.world.connection.execute("UPDATE courses SET title_fr = 'Nouveau titre'")
    [line] = zoe.order("tutoring")["items"]

    assert (line["kind"], line["title_fr"], line["course_title_fr"]) == (
        "session",
        "Cours francais",
        "Nouveau titre",
    )
    assert set(line) == {
        *("id", "kind", "title_fr", "appointment_id", "appointment_status", "course_title_fr"),
        *("tutor_display_name", "start", "end", "duration_min", "price_cad", "discount_share_cad"),
        "returned_cad",
    }


def test_the_access_of_a_line_expires_at_its_very_moment_and_can_be_revoked(zoe: Zoe) -> None:
    [enrolment] = zoe.dojo.enrolments()

    def status_at(moment: datetime) -> str:
        zoe.world.clock.now = moment
        assert sign_in(zoe.browser, "zoe@exemple.ca", "motdepasse").status == 200
        return str(zoe.order("training")["items"][0]["enrolment"]["status"])

    ends = enrolment["expires_at"]
    assert [status_at(ends - timedelta(milliseconds=1)), status_at(ends)] == ["active", "expired"]
    zoe.world.connection.execute("UPDATE enrolments SET revoked_at = %s", (ends,))
    assert status_at(ends) == "revoked"


def test_access_that_could_not_be_given_is_null_and_its_refund_stands_there(zoe: Zoe) -> None:
    loses_a_purchase(zoe)

    order = zoe.browser.get(f"/v1/orders/{zoe.orders()[0]['id']}").body

    [line] = order["items"]
    assert (line["enrolment"], line["returned_cad"]) == (None, "60.00")
    assert (order["status"], order["net_cad"]) == ("refunded", "0.00")
    assert [(one["amount_cad"], one["reason"], one["order_item_id"]) for one in order["refunds"]] == [
        ("60.00", "Accès déjà actif au moment du paiement", line["id"])
    ]
    said = words(zoe.browser.get(f"/v1/orders/{order['id']}/receipt.pdf").content)
    assert "Placements Cours remboursé Accès de 365 jours 60,00 $" in said
    assert "Jusqu'au" not in said
    assert "(effectué) -60,00 $ Montant net 0,00 $" in said


def loses_a_purchase(zoe: Zoe) -> None:
    """The same training bought twice at once: the newest order's gives nothing."""
    other = zoe.dojo.training("placements", "Placements", "60.00")
    phone = Learner(zoe.world, signed_in=zoe.browser).chooses(other).starts()
    laptop = zoe.dojo.buyer("autre@exemple.ca").chooses(other).starts()
    zoe.world.connection.execute(
        "UPDATE checkouts SET buyer = jsonb_set(buyer, '{email}', '\"zoe@exemple.ca\"') WHERE id = %s",
        (laptop.started["checkout_id"],),
    )
    phone.pays()
    zoe.world.webhooks()
    zoe.world.clock.advance(minutes=1)
    laptop.pays()
    zoe.world.webhooks()


# --- Who may ----------------------------------------------------------------------------------------------------


def test_somebody_else_s_order_of_a_training_does_not_exist(world: World, zoe: Zoe) -> None:
    account(world, "lea@exemple.ca")
    account(world, "chef@exemple.ca", "admin")
    account(world, "roy@exemple.ca", "tutor")
    callers = {
        "nobody": (world.browser(), 401, "UNAUTHENTICATED"),
        "a guest": (zoe.dojo.buyer("tom@exemple.ca").chooses(zoe.dojo.ccvm).browser, 401, "UNAUTHENTICATED"),
        "a student": (signed_in(world, "lea@exemple.ca"), 404, "ORDER_NOT_FOUND"),
        "a tutor": (signed_in(world, "roy@exemple.ca"), 403, "FORBIDDEN"),
        "an administrator": (signed_in(world, "chef@exemple.ca"), 403, "FORBIDDEN"),
    }
    order = zoe.order("training")

    for caller, (browser, status, code) in callers.items():
        for path in (f"/v1/orders/{order['id']}", f"/v1/orders/{order['id']}/receipt.pdf"):
            with nothing_written(world.connection):
                answer = browser.get(path)
            assert (answer.status, answer.code) == (status, code), caller
            assert "CCVM" not in answer.text
    assert signed_in(world, "lea@exemple.ca").get("/v1/orders").body["items"] == []


def test_a_suspended_student_still_reads_what_they_have_bought(world: World, zoe: Zoe) -> None:
    world.connection.execute("UPDATE users SET status = 'suspended' WHERE email = 'zoe@exemple.ca'")

    assert [order["product"] for order in zoe.orders()] == ["tutoring", "training"]
    assert zoe.order("training")["items"][0]["enrolment"]["status"] == "active"
    assert "DOJO-000001" in zoe.reads()


# --- Receipts ---------------------------------------------------------------------------------------------------


def test_the_receipt_of_a_training_is_le_dojo_s(zoe: Zoe) -> None:
    said = zoe.reads()

    for part in (
        "Le Dojo Financier Reçu",
        "Commande DOJO-000001",
        "Payée le 18 janvier 2027",
        "Cours Accès Prix",
        "CCVM Volume 1 Accès de 365 jours Jusqu'au mardi 18 janvier 2028 à 12 h 00 299,00 $",
        "Sous-total 299,00 $ Rabais (DOJO15) -44,85 $ Total 254,15 $ Payé par carte 254,15 $",
        "Montant net 254,15 $",
        "Le Dojo Financier · Commande DOJO-000001",
    ):
        assert part in said, said
    assert not re.search(r"4AS|taxe|TPS|TVQ|Canada\b|crédits", said)
    assert zoe.receipt().headers["Content-Disposition"] == 'inline; filename="recu-DOJO-000001.pdf"'
    assert zoe.receipt().content == zoe.receipt().content


def test_each_refund_stands_before_the_net(zoe: Zoe) -> None:
    zoe.gives_back("54.15")

    assert (
        "Payé par carte 254,15 $ Remboursement sur la carte, 19 janvier 2027 (en cours) -54,15 $"
        " Montant net 200,00 $"
    ) in zoe.reads()


def test_access_that_was_taken_back_says_so(zoe: Zoe) -> None:
    zoe.world.connection.execute("UPDATE enrolments SET revoked_at = %s", (zoe.world.clock(),))

    assert "CCVM Volume 1 Accès retiré Accès de 365 jours" in zoe.reads()


def test_a_training_s_receipt_names_its_buyer_or_their_e_mail_once(zoe: Zoe) -> None:
    """Le Dojo asks no guest for a name."""
    assert zoe.world.rows("SELECT first_name || last_name AS name FROM users WHERE role = 'student'") == [
        {"name": ""}
    ]
    assert zoe.reads().count("zoe@exemple.ca") == 1

    zoe.browser.patch("/v1/me", {"first_name": "Zoé", "last_name": "Tremblay"})
    assert "Zoé Tremblay zoe@exemple.ca" in zoe.reads()


def test_each_product_has_its_own_merchant(zoe: Zoe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCHANT_EMAIL", "bonjour@exemple.ca")
    monkeypatch.setenv("TRAINING_MERCHANT_NAME", "Dojo inc.")
    monkeypatch.setenv("TRAINING_MERCHANT_ADDRESS", "2, rue du Marché, Montréal (Québec) H2X 1A1")
    monkeypatch.setenv("TRAINING_MERCHANT_EMAIL", "dojo@exemple.ca")
    monkeypatch.setenv("TRAINING_MERCHANT_PHONE", "514 555-0100")
    monkeypatch.setenv("TRAINING_MERCHANT_TAXES", "Petit fournisseur")

    training, session = zoe.reads("training"), zoe.reads("tutoring")

    contact = "2, rue du Marché, Montréal (Québec) H2X 1A1 dojo@exemple.ca 514 555-0100 Petit fournisseur"
    assert f"Dojo inc. {contact}" in training
    assert "bonjour@exemple.ca" not in training
    assert "4AS bonjour@exemple.ca" in session
    assert "Séance Date Prix" in session
    assert not re.search(r"ojo inc|dojo@|Montant net", session)
