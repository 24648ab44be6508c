"""A student's orders, their receipts and their credits (OP-S09, OP-S10)."""

import io
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pypdf
import pytest
from psycopg.types.json import Jsonb

from domain.appointments.booked import By
from domain.appointments.change_status import reactivate
from domain.credits.ledger import Entry, enter
from tests.support.booked import book
from tests.support.booked_student import BookedStudent
from tests.support.guest import Guest
from tests.support.world import FORM, World, toronto, wanted

TEN, TWO = toronto(20, 10), toronto(20, 14)


@dataclass
class Shop:
    course: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    course = world.school.course()
    world.school.tutor(course)
    return Shop(course)


@pytest.fixture
def zoe(world: World, shop: Shop) -> BookedStudent:
    """Two hours with ten per cent off."""
    world.school.coupon("SAVE10")
    return BookedStudent.of(world, wanted(shop.course, TEN), wanted(shop.course, TWO), coupon="SAVE10")


def order_id(zoe: BookedStudent) -> str:
    return str(zoe.gets("/v1/orders").body["items"][0]["id"])


def receipt(zoe: BookedStudent) -> str:
    """The text of the receipt, as a reader copies it."""
    answer = zoe.gets(f"/v1/orders/{order_id(zoe)}/receipt.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


# --- Orders -------------------------------------------------------------------------------------------------


def test_an_order_with_its_lines_coupon_and_credits(zoe: BookedStudent) -> None:
    zoe.cancels()

    [summary] = zoe.gets("/v1/orders").body["items"]
    order = zoe.gets(f"/v1/orders/{summary['id']}").body

    assert (summary["number"], summary["item_count"], summary["status"]) == ("4AS-000001", 2, "paid")
    assert {name: order[name] for name in summary} == summary
    assert (order["subtotal_cad"], order["discount_cad"], order["total_cad"]) == ("90.00", "9.00", "81.00")
    assert (order["credits_applied_cad"], order["amount_charged_cad"]) == ("0.00", "81.00")
    assert (order["coupon_code"], order["refunds"], order["credits_issued_cad"]) == ("SAVE10", [], "40.50")
    assert [(line["appointment_status"], line["discount_share_cad"]) for line in order["items"]] == [
        ("cancelled", "4.50"),
        ("scheduled", "4.50"),
    ]
    assert order["items"][0]["start"] == TEN.isoformat()


def test_what_could_not_be_booked_shows_its_refund(world: World, shop: Shop) -> None:
    zoe = BookedStudent.of(world, wanted(shop.course, TEN), wanted(shop.course, TWO))
    [lost] = world.rows("SELECT id, order_item_id FROM appointments WHERE start_datetime = %s", TWO)
    world.connection.execute(
        "WITH gone AS (DELETE FROM appointments WHERE id = %s) DELETE FROM time_claims WHERE id = %s",
        (lost["id"], lost["id"]),
    )
    world.connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason, next_attempt_at,"
        " created_at) SELECT %s, stripe_payment_intent_id, id, %s, 4500, 'Créneau devenu indisponible', now(),"
        " created_at FROM orders",
        (uuid4(), lost["order_item_id"]),
    )

    order = zoe.gets(f"/v1/orders/{order_id(zoe)}").body

    assert [line["appointment_id"] is None for line in order["items"]] == [False, True]
    assert [
        (refund["amount_cad"], refund["status"], refund["order_item_id"]) for refund in order["refunds"]
    ] == [("45.00", "pending", str(lost["order_item_id"]))]
    assert "Remboursement sur la carte, 18 janvier 2027 (en cours) -45,00 $" in " ".join(receipt(zoe).split())

    world.connection.execute(
        "UPDATE refunds SET status = 'superseded'"
    )  # somebody gave it back by hand instead
    [superseded] = zoe.gets(f"/v1/orders/{order_id(zoe)}").body["refunds"]
    assert superseded["status"] == "superseded"
    assert "Remboursement sur la carte" not in " ".join(receipt(zoe).split())


def test_somebody_else_s_order_does_not_exist(world: World, shop: Shop, zoe: BookedStudent) -> None:
    luc = BookedStudent.of(world, wanted(shop.course, toronto(21, 10)), email="luc@exemple.ca")
    theirs = order_id(zoe)

    answers = [luc.browser.get(f"/v1/orders/{theirs}{file}") for file in ("", "/receipt.pdf")]

    assert [(answer.status, answer.code) for answer in answers] == [(404, "ORDER_NOT_FOUND")] * 2
    assert order_id(luc) != theirs


def test_orders_are_read_in_pages_newest_first_each_of_them_once(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    tutor, now = world.rows("SELECT id FROM tutors")[0]["id"], world.clock()
    for number, hours in enumerate((1, 2, 2, 3)):
        booked_at = now + timedelta(hours=hours)
        book(world.connection, zoe.user_id, tutor, shop.course, [toronto(25 + number, 9)], booked_at)

    read, pages, cursor = [], 0, ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        body = zoe.browser.get("/v1/orders", query).body
        read += [(order["id"], order["item_count"], order["created_at"]) for order in body["items"]]
        pages, cursor = pages + 1, body["next_cursor"]

    assert pages == 3
    assert [count for _, count, _ in read] == [1, 1, 1, 1, 2]
    assert {order_id for order_id, _, _ in read} == {
        str(row["id"]) for row in world.rows("SELECT id FROM orders")
    }
    times = [time for _, _, time in read]
    assert times == sorted(times, reverse=True)


def test_an_order_shows_the_credits_of_its_own_sessions_alone(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    tutor = world.rows("SELECT id FROM tutors")[0]["id"]
    later = world.clock() + timedelta(hours=1)
    [second] = book(world.connection, zoe.user_id, tutor, shop.course, [toronto(25, 9)], later)
    [first] = world.rows("SELECT id FROM orders WHERE source = 'stripe'")
    [other] = world.rows("SELECT id FROM orders WHERE source = 'manual'")

    def issued() -> list[str]:
        return [zoe.gets(f"/v1/orders/{order['id']}").body["credits_issued_cad"] for order in (first, other)]

    assert issued() == ["0.00", "0.00"]
    assert zoe.cancels(str(second)).status == 200
    assert issued() == ["0.00", "45.00"]
    assert (
        zoe.cancels(
            str(world.rows("SELECT id FROM appointments WHERE start_datetime = %s", TEN)[0]["id"])
        ).status
        == 200
    )
    assert issued() == ["40.50", "45.00"]


def test_two_credits_of_one_amount_are_two(world: World, zoe: BookedStudent) -> None:
    for appointment in zoe.appointments():
        assert zoe.cancels(appointment["id"]).status == 200

    [order] = zoe.gets("/v1/orders").body["items"]
    assert zoe.gets(f"/v1/orders/{order['id']}").body["credits_issued_cad"] == "81.00"


def test_refunds_stand_by_time_then_by_id(world: World, zoe: BookedStudent) -> None:
    now = world.clock()
    for number, minutes in ((3, 0), (2, 0), (1, 1)):
        world.connection.execute(
            "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, next_attempt_at, created_at)"
            " SELECT %s, stripe_payment_intent_id, id, 100, 'Geste', %s, %s FROM orders",
            (UUID(int=number), now, now + timedelta(minutes=minutes)),
        )

    refunds = zoe.gets(f"/v1/orders/{order_id(zoe)}").body["refunds"]

    assert [UUID(refund["id"]).int for refund in refunds] == [2, 3, 1]


def test_credit_for_a_session_that_could_not_be_booked_is_the_order_s_as_well(
    world: World, zoe: BookedStudent
) -> None:
    [order] = world.rows("SELECT id FROM orders")
    line = world.rows("SELECT id FROM order_items")[0]["id"]
    entry = Entry(
        zoe.user_id, Decimal("12.00"), "order_refund", order_id=order["id"], order_item_id=line, reason="Pris"
    )
    enter(world.connection, entry, world.clock())

    assert zoe.gets(f"/v1/orders/{order['id']}").body["credits_issued_cad"] == "12.00"


def test_credit_that_was_taken_back_was_not_issued(world: World, zoe: BookedStudent) -> None:
    """Of a cancelled session that takes place after all, and of a lost one that the card was given back for."""
    [order] = world.rows("SELECT id FROM orders")
    line = world.rows("SELECT id FROM order_items")[0]["id"]
    [appointment, _] = zoe.appointments()
    assert zoe.cancels(appointment["id"]).status == 200
    lost = {"order_id": order["id"], "order_item_id": line}
    enter(world.connection, Entry(zoe.user_id, Decimal("12.00"), "order_refund", **lost), world.clock())
    issued = world.rows(
        "SELECT id, amount_cad, order_id, order_item_id FROM credit_transactions ORDER BY amount_cad"
    )
    assert [row["amount_cad"] for row in issued] == [Decimal("12.00"), Decimal("40.50")]

    left = []
    for row in issued:
        of_what = {
            "order_id": row["order_id"],
            "order_item_id": row["order_item_id"],
            "reverses": row["id"],
        }
        enter(world.connection, Entry(zoe.user_id, -row["amount_cad"], "reversal", **of_what), world.clock())
        left.append(zoe.gets(f"/v1/orders/{order['id']}").body["credits_issued_cad"])

    assert left == ["40.50", "0.00"]


def test_only_students_have_orders_and_credits(world: World, zoe: BookedStudent) -> None:
    paths = [
        "/v1/orders",
        f"/v1/orders/{order_id(zoe)}",
        f"/v1/orders/{order_id(zoe)}/receipt.pdf",
        "/v1/credits",
    ]
    as_guest = [world.browser().get(path) for path in paths]
    world.connection.execute("UPDATE users SET role = 'tutor' WHERE id = %s", (zoe.user_id,))
    as_tutor = [zoe.browser.get(path) for path in paths]

    assert {answer.status for answer in as_guest} == {401}
    assert {answer.status for answer in as_tutor} == {403}


# --- The receipt --------------------------------------------------------------------------------------------


def test_the_receipt_says_it_all_in_french(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE orders SET credits_applied_cad = 20.00")
    zoe.cancels()

    lines = " ".join(receipt(zoe).split())

    for said in (
        "4AS",
        "Reçu",
        "Commande 4AS-000001",
        "Payée le 18 janvier 2027",
        "Zoé Tremblay",
        "1, rue Principale Québec (QC) Canada zoe@exemple.ca",
        "Cours francais-secondaire Avec Mme Roy Séance annulée mercredi 20 janvier 2027 à 10 h 00 60 min 45,00 $",
        "Sous-total 90,00 $",
        "Rabais (SAVE10) -9,00 $",
        "Total 81,00 $",
        "Payé par crédits 20,00 $",
        "Payé par carte 61,00 $",
        "Crédits remis au compte 40,50 $",
        "Montants en dollars canadiens",
    ):
        assert said in lines, lines
    assert not re.search(r"tax|TPS|TVQ", lines, re.IGNORECASE)


def test_the_same_receipt_is_the_same_file(zoe: BookedStudent) -> None:
    path = f"/v1/orders/{order_id(zoe)}/receipt.pdf"

    first, second = zoe.gets(path), zoe.gets(path)

    assert first.content == second.content
    assert first.headers["Content-Disposition"] == 'inline; filename="recu-4AS-000001.pdf"'


@pytest.mark.parametrize(
    "name",
    [
        "Nguyễn-Đặng",
        "Łukasz Šťastný",
        "Παπαδόπουλος Ελευθερία",
        "Достоевский Їжак",
        "Ōtani O’Brien-D’Été",
        "ẞ Ĳ ﬁ Æ Œ ŵ ğ ı",
        "L’œuvre <b>&amp; </para>",
    ],
)
def test_names_in_latin_greek_and_cyrillic_and_markup_are_printed_as_they_are(
    world: World, zoe: BookedStudent, name: str
) -> None:
    world.connection.execute("UPDATE users SET last_name = %s", (name,))
    world.connection.execute("UPDATE courses SET title_fr = %s", (name,))

    said = receipt(zoe)

    assert f"Zoé {name}\n" in said
    assert said.count(name) == 3, said


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("王小明", "WangXiaoMing"),
        ("محمد", "mhmd"),
        ("שרה", "srh"),
        ("김민준", "GimMinJun"),
        ("山田 花子", "ShanTian HuaZi"),
        ("\U0001d543uc \U0001f600", "Luc"),
        ("C♯ ≤ 5 → −5", "C# <= 5 > -5"),
    ],
)
def test_a_name_in_other_letters_is_romanized_never_questioned(
    world: World, zoe: BookedStudent, name: str, printed: str
) -> None:
    world.connection.execute("UPDATE users SET last_name = %s", (name,))

    said = receipt(zoe)

    assert f"Zoé {printed}\n" in said
    assert "?" not in said


def test_the_receipt_s_letters_travel_with_it(zoe: BookedStudent) -> None:
    """A file that names a font without holding it looks otherwise on every machine."""
    content = zoe.gets(f"/v1/orders/{order_id(zoe)}/receipt.pdf").content

    named = set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([A-Za-z-]+)", content))
    assert {b"NotoSans-Regular", b"NotoSans-Bold"} <= named
    assert content.count(b"/FontFile2") >= 2


@pytest.mark.parametrize(
    ("billing", "printed"),
    [
        (
            {"address": "2, chemin du Lac", "city": "Laval", "province": "Qc"},
            "2, chemin du Lac Laval (Qc) Canada",
        ),
        ({"address": "\U0001f3e0", "city": "Laval", "province": "\U0001f341"}, "Laval Canada"),
    ],
)
def test_the_address_is_the_one_of_the_order_not_of_a_later_form(
    world: World, zoe: BookedStudent, billing: dict[str, str], printed: str
) -> None:
    world.connection.execute("UPDATE orders SET billing = %s", (Jsonb(billing | {"country": "CA"}),))
    world.connection.execute("DELETE FROM checkouts")

    assert f"Zoé Tremblay {printed} zoe@exemple.ca" in " ".join(receipt(zoe).split())


def test_an_order_without_an_address_shows_none(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE orders SET billing = NULL")

    assert "Zoé Tremblay zoe@exemple.ca" in " ".join(receipt(zoe).split())


def test_the_address_of_an_order_is_the_one_revised_last_before_it_was_paid(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    assert guest.sends_form(billing=FORM["billing"] | {"address": "2, rue Neuve"}).status == 201
    guest.pays()
    world.webhooks()

    assert world.rows("SELECT billing->>'address' AS address FROM orders") == [{"address": "2, rue Neuve"}]


def test_a_name_written_with_separate_accents_is_printed_like_any_other(
    world: World, zoe: BookedStudent
) -> None:
    world.connection.execute("UPDATE users SET first_name = E'Zoe\\u0301' WHERE id = %s", (zoe.user_id,))

    assert "Zoé Tremblay" in receipt(zoe)


def test_a_free_order_does_not_say_that_a_card_paid(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE orders SET discount_cad = subtotal_cad, total_cad = 0")

    said = " ".join(receipt(zoe).split())

    assert "Rabais (SAVE10) -90,00 $ Total 0,00 $" in said
    assert "Passée le 18 janvier 2027" in said
    assert "Payé" not in said


def test_an_order_that_credits_paid_does_not_say_that_a_card_did(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE orders SET credits_applied_cad = total_cad")

    said = " ".join(receipt(zoe).split())

    assert "Payée le 18 janvier 2027" in said
    assert "Payé par crédits 81,00 $" in said
    assert "Payé par carte" not in said


def test_the_receipt_names_the_merchant_of_the_settings(
    zoe: BookedStudent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERCHANT_NAME", "École 4AS")
    monkeypatch.setenv("MERCHANT_ADDRESS", "1 rue Principale, Toronto (Ontario) M5V 1A1")
    monkeypatch.setenv("MERCHANT_EMAIL", "bonjour@exemple.ca")
    monkeypatch.setenv("MERCHANT_PHONE", "416 555-0100")
    monkeypatch.setenv("MERCHANT_TAXES", "Aucune taxe perçue")

    said = " ".join(receipt(zoe).split())

    assert "École 4AS 1 rue Principale, Toronto (Ontario) M5V 1A1 bonjour@exemple.ca 416 555-0100" in said
    assert "416 555-0100 Aucune taxe perçue" in said
    assert "École 4AS · Commande 4AS-000001" in said


def test_a_long_order_runs_over_several_pages(world: World, shop: Shop) -> None:
    hours = [toronto(day, hour) for day in range(20, 26) for hour in range(9, 17)]
    zoe = BookedStudent.of(world, *(wanted(shop.course, hour) for hour in hours[:20]))

    said = receipt(zoe)

    assert said.count("Avec Mme Roy") == 20
    assert "Page 2" in said


# --- Credits ------------------------------------------------------------------------------------------------


def test_credits_newest_first_with_what_open_payments_reserve(world: World, zoe: BookedStudent) -> None:
    appointment_id = zoe.appointment_id
    zoe.cancels(appointment_id)
    world.clock.advance(hours=1)
    give(world, zoe, "-10.50", "Correction d'une erreur")
    world.connection.execute("UPDATE credit_accounts SET reserved_cad = 5.00")

    credits = zoe.gets("/v1/credits").body

    assert (credits["balance_cad"], credits["reserved_cad"], credits["available_cad"]) == (
        "30.00",
        "5.00",
        "25.00",
    )
    assert [(entry["label_fr"], entry["amount_cad"], entry["reason"]) for entry in credits["items"]] == [
        ("Ajustement par 4AS", "-10.50", "Correction d'une erreur"),
        ("Séance annulée", "40.50", None),
    ]
    assert credits["items"][1]["appointment_id"] == appointment_id


def test_a_movement_names_the_session_it_is_about(world: World, shop: Shop) -> None:
    """One that was credited and taken back; none for a line whose session could not be booked: its order is named."""
    zoe = BookedStudent.of(world, wanted(shop.course, TEN), wanted(shop.course, TWO))
    [cancelled] = world.rows("SELECT id FROM appointments WHERE start_datetime = %s", TEN)
    [lost] = world.rows("SELECT id, order_item_id FROM appointments WHERE start_datetime = %s", TWO)
    world.connection.execute(
        "WITH gone AS (DELETE FROM appointments WHERE id = %s) DELETE FROM time_claims WHERE id = %s",
        (lost["id"], lost["id"]),
    )
    order = UUID(order_id(zoe))
    share = Entry(
        zoe.user_id, Decimal("5.00"), "order_refund", order_id=order, order_item_id=lost["order_item_id"]
    )
    enter(world.connection, share, world.clock())
    world.clock.advance(hours=1)
    zoe.cancels(str(cancelled["id"]))
    world.clock.advance(hours=1)
    reactivate(world.connection, By("admin", None), cancelled["id"], "Erreur", world.clock())

    items = zoe.gets("/v1/credits").body["items"]

    assert [
        (entry["type"], entry["amount_cad"], entry["appointment_id"], entry["order_id"]) for entry in items
    ] == [
        ("reversal", "-45.00", str(cancelled["id"]), None),
        ("cancellation", "45.00", str(cancelled["id"]), None),
        ("order_refund", "5.00", None, str(order)),
    ]


def test_every_kind_of_movement_has_its_name(world: World, zoe: BookedStudent) -> None:
    order, line = world.rows("SELECT order_id, id FROM order_items LIMIT 1")[0].values()
    give(world, zoe, "50.00", "Geste")
    assert zoe.cancels().status == 200
    refund = Entry(zoe.user_id, Decimal("1.00"), "order_refund", order_id=order, order_item_id=line)
    refunded = enter(world.connection, refund, world.clock())
    for entry in (
        Entry(zoe.user_id, Decimal("-2.00"), "order_payment", order_id=order),
        Entry(zoe.user_id, Decimal("-1.00"), "reversal", reverses=refunded),
    ):
        enter(world.connection, entry, world.clock())

    credits = zoe.gets("/v1/credits").body

    assert {entry["type"]: (entry["label_fr"], entry["amount_cad"]) for entry in credits["items"]} == {
        "admin_adjustment": ("Ajustement par 4AS", "50.00"),
        "cancellation": ("Séance annulée", "40.50"),
        "order_refund": ("Remboursement d'une commande", "1.00"),
        "order_payment": ("Paiement d'une commande", "-2.00"),
        "reversal": ("Correction", "-1.00"),
    }
    assert credits["balance_cad"] == "88.50"


def test_the_ledger_is_read_in_pages(world: World, zoe: BookedStudent) -> None:
    for amount in range(1, 6):
        give(world, zoe, f"{amount}.00", "Geste")  # all at the same instant

    amounts, cursor = [], ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        body = zoe.browser.get("/v1/credits", query).body
        assert body["balance_cad"] == "15.00"
        amounts += [entry["amount_cad"] for entry in body["items"]]
        cursor = body["next_cursor"]

    assert sorted(amounts) == ["1.00", "2.00", "3.00", "4.00", "5.00"]


def test_who_never_had_credit_has_none(zoe: BookedStudent) -> None:
    assert zoe.gets("/v1/credits").body == {
        "balance_cad": "0.00",
        "reserved_cad": "0.00",
        "available_cad": "0.00",
        "items": [],
        "next_cursor": None,
    }


def give(world: World, zoe: BookedStudent, amount: str, reason: str) -> None:
    entry = Entry(zoe.user_id, Decimal(amount), "admin_adjustment", reason=reason, created_by=zoe.user_id)
    enter(world.connection, entry, world.clock())


def test_each_line_has_its_own_course_and_tutor_and_each_student_their_own_balance(
    world: World, shop: Shop
) -> None:
    maths = world.school.course("maths")
    world.school.tutor(maths, name="M. Cote")
    zoe = BookedStudent.of(world, wanted(maths, TWO), wanted(shop.course, TEN))
    luc = BookedStudent.of(world, wanted(shop.course, toronto(21, 10)), email="luc@exemple.ca")
    for student, amount in ((luc, "7.00"), (zoe, "5.00")):
        give(world, student, amount, "Geste")

    lines = zoe.gets(f"/v1/orders/{order_id(zoe)}").body["items"]

    assert [(line["course_title_fr"], line["tutor_display_name"], line["start"]) for line in lines] == [
        ("Cours francais-secondaire", "Mme Roy", TEN.isoformat()),
        ("Cours maths", "M. Cote", TWO.isoformat()),
    ]
    assert [student.gets("/v1/credits").body["balance_cad"] for student in (zoe, luc)] == ["5.00", "7.00"]
