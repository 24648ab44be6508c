"""Tutors, administrators and refunds change appointments: each line of the table, with its effects (2.9, 2.12; A.5)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, complete, reactivate, refund, reopen
from domain.appointments.reschedule import reschedule
from domain.credits.ledger import Entry, enter
from domain.errors import Refused
from tests.support.booked_student import BookedStudent
from tests.support.contract import recorded
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
AFTER = toronto(20, 12)


@dataclass
class Scene:
    """Zoé's hour with Mme Roy on the 20th at ten, and an administrator."""

    world: World
    zoe: BookedStudent
    course: UUID
    roy: UUID
    admin: By

    @property
    def id(self) -> UUID:
        return UUID(self.zoe.appointment_id)

    @property
    def tutor(self) -> By:
        return By("tutor", self.roy)

    @property
    def refunding(self) -> By:
        """A refund of the order, made by the administrator."""
        return By("system", self.admin.user_id)

    def state(self) -> tuple[str, str, int]:
        """The appointment's status, its earnings' and whether it owns its time."""
        [row] = self.world.rows(
            "SELECT appointments.status::text, earnings.status::text AS earnings_status"
            "  FROM appointments JOIN earnings USING (order_item_id)"
        )
        return row["status"], row["earnings_status"], self.world.count("time_claims")

    def balance(self) -> str:
        return str(self.zoe.gets("/v1/credits").body["balance_cad"])

    def told(self) -> list[dict[str, Any]]:
        return [event for event in recorded(self.world) if event["type"] not in ("signup", "booking.created")]

    def refused(self, change: Callable[[], object]) -> str:
        """The code of a refusal that changed nothing."""
        with nothing_written(self.world.connection), pytest.raises(Refused) as refusal:
            change()
        return refusal.value.code


@pytest.fixture
def scene(world: World) -> Scene:
    course = world.school.course()
    roy = world.school.tutor(course)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    return Scene(world, BookedStudent.of(world, wanted(course, TEN)), course, roy, admin)


def pay_the_tutor(world: World) -> None:
    world.connection.execute("UPDATE earnings SET status = 'paid', paid_at = %s", (world.clock(),))


# --- Cancelling ---------------------------------------------------------------------------------------------


def test_a_tutor_s_cancellation_makes_the_student_whole(scene: Scene) -> None:
    now = TEN - timedelta(hours=2)

    done = cancel(scene.world.connection, scene.tutor, scene.id, None, "dev", now)

    assert (done.credit_cad, scene.balance()) == (Decimal("45.00"), "45.00")
    assert scene.state() == ("cancelled", "cancelled", 0)
    shown = scene.zoe.shows()
    assert (shown["cancelled_by"], shown["cancellation_reason"]) == ("tutor", "Annulé par tuteur")
    assert [(line["changed_by"], line["changed_by_name"]) for line in shown["history"]] == [
        ("tutor", "Mme Roy")
    ]
    [event] = scene.told()
    assert (event["type"], event["payload"]["cancelled_by"]) == ("booking.cancelled", "tutor")
    assert (event["payload"]["price_cad"], event["payload"]["credit_issued"]) == (45, 45)


def test_a_tutor_is_too_late_a_second_after_two_hours_before_and_an_administrator_never_is(
    scene: Scene,
) -> None:
    connection, now = scene.world.connection, TEN - timedelta(hours=2) + timedelta(seconds=1)

    assert (
        scene.refused(lambda: cancel(connection, scene.tutor, scene.id, None, "dev", now))
        == "CANCELLATION_TOO_LATE"
    )
    cancel(connection, scene.admin, scene.id, "Tempête", "dev", AFTER)
    assert scene.state() == ("cancelled", "cancelled", 0)
    assert scene.zoe.shows()["history"][0]["changed_by_name"] == "Équipe 4AS"


def test_another_tutor_s_appointment_does_not_exist(scene: Scene) -> None:
    other = By("tutor", scene.world.school.tutor(scene.course, name="M. Côté"))
    connection, now = scene.world.connection, scene.world.clock()

    for change in (
        lambda: cancel(connection, other, scene.id, None, "dev", now),
        lambda: reschedule(connection, other, scene.id, toronto(22, 10), None, "dev", now),
    ):
        assert scene.refused(change) == "APPOINTMENT_NOT_FOUND"


def test_an_administrator_may_give_no_credit(scene: Scene) -> None:
    done = cancel(
        scene.world.connection, scene.admin, scene.id, "Absence", "dev", scene.world.clock(), credit=False
    )

    assert (str(done.credit_cad), scene.balance()) == ("0.00", "0.00")
    assert scene.told()[0]["payload"]["credit_issued"] is None


def test_a_refund_cancels_without_credit_since_the_money_is_on_its_way(scene: Scene) -> None:
    reason = "Remboursement de commande: erreur"
    cancel(scene.world.connection, scene.refunding, scene.id, reason, "dev", scene.world.clock())

    assert (scene.state(), scene.balance()) == (("cancelled", "cancelled", 0), "0.00")
    payload = scene.told()[0]["payload"]
    assert (payload["cause"], payload["cancelled_by"], payload["credit_issued"]) == (
        "refund",
        "admin",
        None,
    )
    assert payload["cancelled_by_id"] == str(scene.admin.user_id)


# --- Completing and correcting ------------------------------------------------------------------------------


def test_a_session_is_complete_once_it_has_ended(scene: Scene) -> None:
    connection, end = scene.world.connection, TEN + timedelta(hours=1)

    assert scene.refused(lambda: complete(connection, scene.admin, scene.id, "dev", end)) == "NOT_OVER_YET"
    complete(connection, scene.admin, scene.id, "dev", end + timedelta(seconds=1))

    assert scene.state() == ("completed", "earned", 1)
    [event] = scene.told()
    assert (event["type"], event["payload"]["completed_by"]) == ("appointment.completed", "admin")
    assert event["payload"]["tutor_earnings_cad"] == 30
    assert scene.zoe.shows()["can_rate"]


def test_an_administrator_may_complete_early_on_purpose(scene: Scene) -> None:
    complete(scene.world.connection, scene.admin, scene.id, "dev", scene.world.clock(), early=True)

    assert scene.state() == ("completed", "earned", 1)


def test_a_completed_session_can_be_cancelled_refunded_or_reopened_by_an_administrator(scene: Scene) -> None:
    connection = scene.world.connection
    complete(connection, scene.admin, scene.id, "dev", AFTER)

    reopen(connection, scene.admin, scene.id, None, AFTER)
    assert scene.state() == ("scheduled", "scheduled", 1)
    assert scene.zoe.shows()["completed_at"] is None
    complete(connection, scene.admin, scene.id, "dev", AFTER)
    cancel(connection, scene.admin, scene.id, None, "dev", AFTER)
    assert scene.state() == ("cancelled", "cancelled", 0)
    assert [event["type"] for event in scene.told()] == [
        "appointment.completed",
        "appointment.completed",
        "booking.cancelled",
    ]
    assert [event["sequence"] for event in scene.told()] == [1, 2, 3]


def test_a_refunded_session_is_final(scene: Scene) -> None:
    connection = scene.world.connection
    complete(connection, scene.admin, scene.id, "dev", AFTER)
    refund(connection, scene.admin, scene.id, "Geste", AFTER)

    assert scene.state() == ("refunded", "cancelled", 0)
    for change in (
        lambda: reactivate(connection, scene.admin, scene.id, None, AFTER),
        lambda: complete(connection, scene.admin, scene.id, "dev", AFTER),
        lambda: reopen(connection, scene.admin, scene.id, None, AFTER),
        lambda: refund(connection, scene.admin, scene.id, None, AFTER),
    ):
        assert scene.refused(change) == "TRANSITION_NOT_ALLOWED"
    assert scene.refused(lambda: cancel(connection, scene.admin, scene.id, None, "dev", AFTER)) == (
        "NOT_CANCELLABLE"
    )


def test_once_the_tutor_is_paid_nothing_takes_it_back(scene: Scene) -> None:
    connection = scene.world.connection
    complete(connection, scene.admin, scene.id, "dev", AFTER)
    pay_the_tutor(scene.world)

    for change in (
        lambda: cancel(connection, scene.admin, scene.id, None, "dev", AFTER),
        lambda: refund(connection, scene.admin, scene.id, None, AFTER),
        lambda: reopen(connection, scene.admin, scene.id, None, AFTER),
    ):
        assert scene.refused(change) == "EARNINGS_PAID"
    refund(connection, scene.refunding, scene.id, "Remboursement de commande", AFTER)
    assert scene.state() == ("refunded", "paid", 0)


# --- Reactivating -------------------------------------------------------------------------------------------


def test_reactivating_takes_the_time_the_pay_and_the_credit_back(scene: Scene) -> None:
    connection, now = scene.world.connection, scene.world.clock()
    cancel(connection, scene.admin, scene.id, "Erreur", "dev", now)

    done = reactivate(connection, scene.admin, scene.id, None, now)

    assert (done.credit_cad, scene.balance()) == (Decimal("-45.00"), "0.00")
    assert scene.state() == ("scheduled", "scheduled", 1)
    shown = scene.zoe.shows()
    assert (shown["cancellation_reason"], shown["cancelled_by"], shown["cancelled_at"]) == (None, None, None)
    assert shown["history"][0]["reason"] == "Statut changé vers planifié"


def test_cancelled_again_it_is_credited_again_and_never_twice(scene: Scene) -> None:
    connection, now = scene.world.connection, scene.world.clock()
    for _ in range(3):
        cancel(connection, scene.admin, scene.id, None, "dev", now)
        assert scene.balance() == "45.00"
        reactivate(connection, scene.admin, scene.id, None, now)
        assert scene.balance() == "0.00"

    reactivated_with_credit_kept(scene, now)

    entries = scene.world.rows("SELECT type::text FROM credit_transactions ORDER BY created_at, amount_cad")
    assert [entry["type"] for entry in entries].count("cancellation") == 1
    assert len({event["event_id"] for event in scene.told()}) == 5


def reactivated_with_credit_kept(scene: Scene, now: datetime) -> None:
    """An administrator lets the student keep the credit; the next cancellation adds nothing to it."""
    connection = scene.world.connection
    cancel(connection, scene.admin, scene.id, None, "dev", now)
    assert reactivate(connection, scene.admin, scene.id, None, now, credit=False).credit_cad == 0
    assert scene.balance() == "45.00"
    assert cancel(connection, scene.admin, scene.id, None, "dev", now).credit_cad == 0
    assert scene.balance() == "45.00"


def test_reactivating_into_an_occupied_time_is_refused(scene: Scene) -> None:
    connection, now = scene.world.connection, scene.world.clock()
    cancel(connection, scene.admin, scene.id, None, "dev", now)
    BookedStudent.of(scene.world, wanted(scene.course, TEN), email="luc@exemple.ca")
    cancelled = UUID(scene.zoe.appointment_id)

    assert scene.refused(lambda: reactivate(connection, scene.admin, cancelled, None, now)) == (
        "SLOT_UNAVAILABLE"
    )


def test_reactivating_takes_nothing_back_where_nothing_was_credited(scene: Scene) -> None:
    cancel(scene.world.connection, scene.admin, scene.id, None, "dev", scene.world.clock(), credit=False)
    assert scene.balance() == "0.00"

    done = reactivate(scene.world.connection, scene.admin, scene.id, "Erreur", scene.world.clock())

    assert done.credit_cad == 0
    assert scene.state() == ("scheduled", "scheduled", 1)
    assert scene.balance() == "0.00"


def test_reactivating_is_refused_when_the_credit_is_spent(scene: Scene) -> None:
    connection, now = scene.world.connection, scene.world.clock()
    cancel(connection, scene.admin, scene.id, None, "dev", now)
    order_id = scene.world.rows("SELECT id FROM orders")[0]["id"]
    enter(connection, Entry(scene.zoe.user_id, Decimal("-0.01"), "order_payment", order_id=order_id), now)

    assert scene.refused(lambda: reactivate(connection, scene.admin, scene.id, None, now)) == "CREDIT_SPENT"
    reactivate(connection, scene.admin, scene.id, None, now, credit=False)
    assert scene.state() == ("scheduled", "scheduled", 1)


# --- Moving -------------------------------------------------------------------------------------------------


def test_a_tutor_moves_until_two_hours_before_outside_their_hours_if_they_like(scene: Scene) -> None:
    connection, now = scene.world.connection, TEN - timedelta(hours=2)

    reschedule(connection, scene.tutor, scene.id, toronto(20, 20), None, "dev", now)

    [event] = scene.told()
    assert (event["payload"]["rescheduled_by"], event["payload"]["reason"]) == ("tutor", "")
    assert scene.zoe.shows()["start"] == toronto(20, 20).isoformat()


def test_a_second_later_a_tutor_no_longer_moves_it(scene: Scene) -> None:
    connection, now = scene.world.connection, TEN - timedelta(hours=2) + timedelta(seconds=1)

    refused = scene.refused(
        lambda: reschedule(connection, scene.tutor, scene.id, toronto(20, 20), None, "dev", now)
    )

    assert refused == "RESCHEDULE_TOO_LATE"


@pytest.mark.parametrize("actor", ["tutor", "admin"])
def test_nobody_moves_onto_somebody_else_s_time_off_the_grid_or_into_the_past(
    scene: Scene, actor: str
) -> None:
    connection, now = scene.world.connection, scene.world.clock()
    by = scene.tutor if actor == "tutor" else scene.admin
    scene.world.school.claim(scene.roy, toronto(22, 9), toronto(22, 12))
    appointment_id = scene.id

    for start, code in (
        (toronto(22, 10), "SLOT_UNAVAILABLE"),
        (toronto(22, 11, 30), "SLOT_UNAVAILABLE"),
        (toronto(22, 13, 10), "OFF_GRID"),
        (toronto(18, 11), "TOO_SOON"),
        (toronto(22, 13, year=2028), "TOO_FAR"),
    ):
        assert (
            scene.refused(
                lambda start=start: reschedule(  # type: ignore[misc]
                    connection, by, appointment_id, start, None, "dev", now
                )
            )
            == code
        )


def test_an_administrator_moves_even_a_session_that_has_begun(scene: Scene) -> None:
    reschedule(
        scene.world.connection, scene.admin, scene.id, toronto(22, 10), "Panne de courant", "dev", AFTER
    )

    assert scene.told()[0]["payload"]["rescheduled_by"] == "admin"
