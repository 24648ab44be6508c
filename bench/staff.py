"""What schedules, deliveries and administrators ask of a school, under a watch. Each round finds as much to do."""

from datetime import datetime, timedelta
from typing import LiteralString
from uuid import uuid4

from adapters import database
from bench.scene import DAY, HOUR, Scene, got
from bench.webhooks import NO_PACE, InMemory, Told
from domain.webhooks.backlog import read_backlog
from domain.webhooks.delivery import Delivery, Failure, Route
from domain.webhooks.dispatch import dispatch
from domain.webhooks.event_types import EVENTS
from domain.webhooks.outbox import record_facts
from domain.webhooks.relay import relay
from functions.appointment_completion import app as completion
from functions.hold_cleanup import app as hold_cleanup
from functions.payment_reconciliation import app as reconciliation
from functions.reminders import app as reminders
from functions.retention import app as retention
from tests.support.browser import CONTEXT
from tests.support.world import form

DELETED: dict[str, tuple[LiteralString, LiteralString]] = {
    "a person who did nothing": (
        """
        INSERT INTO users (id, email, first_name, last_name)
        VALUES (%(new)s, %(new)s || '@exemple.ca', 'Zoé', 'Tremblay')
        """,
        "DELETE FROM users WHERE id = %(new)s",
    ),
    "a course that nobody took": (
        """
        INSERT INTO courses (id, slug, title_fr, description_fr)
        VALUES (%(new)s, 'cours-' || %(new)s, 'Cours', 'Description')
        """,
        "DELETE FROM courses WHERE id = %(new)s",
    ),
    "a tutor's course that nobody took": (
        """
        WITH course AS (
            INSERT INTO courses (id, slug, title_fr, description_fr)
            VALUES (%(new)s, 'cours-' || %(new)s, 'Cours', 'Description') RETURNING id)
        INSERT INTO tutor_courses (tutor_id, course_id) SELECT %(tutor)s, id FROM course
        """,
        "DELETE FROM tutor_courses WHERE course_id = %(new)s AND tutor_id = %(tutor)s",
    ),
    "a coupon that nobody used": (
        "INSERT INTO coupons (product, id, code, type, value) VALUES ('tutoring', %(new)s, "
        "upper(left(%(new)s::text, 13)), 'fixed', 5)",
        "DELETE FROM coupons WHERE id = %(new)s",
    ),
    "a guest's cart": (
        """
        INSERT INTO carts (product, id, session_hash, created_at, updated_at)
        VALUES ('tutoring', %(new)s, sha256(%(new)s::text::bytea), %(now)s, %(now)s)
        """,
        "DELETE FROM carts WHERE id = %(new)s",
    ),
    "a checkout that has ended": (
        """
        INSERT INTO checkouts (product, id, status, cart_version, session_hash, items, subtotal_cad,
               discount_cad, total_cad,
                               amount_cents, created_at, expires_at)
        VALUES ('tutoring', %(new)s, 'failed', 1, sha256(%(new)s::text::bytea), '[{}]', 45, 0, 45, 4500,
               %(now)s, %(now)s)
        """,
        "DELETE FROM checkouts WHERE id = %(new)s",
    ),
}
"""What is deleted is made first. Nothing refers to it, which PostgreSQL finds out."""


ROUTES = {event.name: Route(event.endpoint, event.endpoint) for event in EVENTS.values()}


class Accepting:
    """A receiver that takes everything."""

    per_second = NO_PACE

    def route(self, event_type: str) -> Route:
        return ROUTES[event_type]

    def post(self, delivery: Delivery, now: datetime) -> Failure | None:
        return None


def work(scene: Scene, place: int) -> None:
    """Everything once, the `place`th time."""
    run_the_schedules(scene, place)
    deliver(scene)
    administer(scene)
    delete(scene)
    forget(scene)


def run_the_schedules(scene: Scene, place: int) -> None:
    """Each finds something: two expired holds, a session that is over, one to remind of, a payment to cancel."""
    watch, event = scene.watch, {"time": scene.now.isoformat()}
    tutor = scene.cast.tutors[place % len(scene.cast.tutors)]
    for days in (100, 200):
        start = scene.now + (days + place) * DAY
        scene.world.school.claim(tutor, start, start + HOUR, scene.now - HOUR)
    with watch.over("delete expired holds"):
        done = hold_cleanup.lambda_handler(event, CONTEXT)
    assert done == {"expired_holds_deleted": 2}, done
    scene.books(tutor, scene.now - (3 + place) * HOUR)
    with watch.over("complete sessions that are over"):
        done = completion.lambda_handler(event, CONTEXT)
    assert set(done.values()) == {1}, done
    scene.books(tutor, scene.now + (1 + place) * HOUR)
    with watch.over("remind of sessions"):
        done = reminders.lambda_handler(event, CONTEXT)
    assert done == {"reminders_sent": 1}, done
    guest = scene.world.browser()
    scene.adds(guest)
    got(guest.post("/v1/checkout", form(f"{uuid4().hex}@exemple.ca")), 201)
    scene.adds(guest)  # which withdraws the payment
    with watch.over("reconcile with Stripe"):
        done = reconciliation.lambda_handler(event, CONTEXT)
    assert done["checkouts_cancelled"] == 1, done


def deliver(scene: Scene) -> None:
    """What the round has told, and an event that an address waits for which did not answer."""
    watch, connection, queue = scene.watch, database.connection_for_jobs(), InMemory()
    record_facts(scene.world.connection, [Told()], "dev", scene.now)
    scene.world.connection.execute(
        """
        WITH silent AS (
            INSERT INTO webhook_endpoints (area, state, reason, opened_at, probe_at)
            VALUES ('RATING', 'open', 'HTTP 503', %(now)s, %(now)s)
            ON CONFLICT (area) DO UPDATE SET state = 'open', reason = excluded.reason, opened_at = %(now)s,
                                             probe_at = %(now)s)
        UPDATE outbox SET endpoint = 'RATING'
         WHERE event_id = (SELECT event_id FROM outbox WHERE status = 'pending' AND body LIKE '%%xxx%%' LIMIT 1)
        """,
        {"now": scene.now},
    )
    with watch.over("count what waits to be delivered"):
        read_backlog(connection, scene.now)
    with watch.over("put what is due on the queue"):
        relay(connection, queue, ROUTES, NO_PACE, scene.now)
    with watch.over("put what is due on the queue, nothing being due"):
        relay(connection, InMemory(), ROUTES, NO_PACE, scene.now)
    while not queue.messages.empty():
        event_id = queue.messages.get()
        with watch.over("deliver an event"):
            dispatch(connection, Accepting(), event_id, scene.now)


def administer(scene: Scene) -> None:
    admin, watch = scene.signed_in(scene.cast.admin), scene.watch
    record_facts(scene.world.connection, [Told()], "dev", scene.now)
    scene.world.connection.execute("UPDATE outbox SET status = 'exhausted' WHERE status = 'pending'")
    (oldest,) = scene.world.rows("SELECT id, user_id FROM orders ORDER BY created_at, id LIMIT 1")
    filters = {
        "": {},
        ", by type": {"type": "booking.rescheduled"},
        ", by a rare type": {"type": "course.updated"},
        ", by status": {"status": "delivered"},
        ", by a rare status": {"status": "exhausted"},
        ", cancelled": {"status": "cancelled"},
        ", by address": {"endpoint": "BOOKING"},
        ", by a rare address": {"endpoint": "TICKET"},
        ", of a month": {"from": (scene.now - 30 * DAY).isoformat(), "to": scene.now.isoformat()},
        ", of an order": {"order_id": str(oldest["id"])},
        ", of a person": {"user_id": str(oldest["user_id"])},
    }
    for which, query in filters.items():
        with watch.over(f"deliveries{which}"):
            got(admin.get("/v1/admin/webhooks/deliveries", query))
    with watch.over("deliveries that wait for somebody"):
        waiting = got(admin.get("/v1/admin/webhooks/undelivered")).body["items"]
    with watch.over("a delivery"):
        got(admin.get(f"/v1/admin/webhooks/deliveries/{waiting[0]['event_id']}"))


def delete(scene: Scene) -> None:
    for what, (made, deleted) in DELETED.items():
        values = {"new": uuid4(), "tutor": scene.cast.tutors[0], "now": scene.now}
        scene.world.connection.execute(made, values)
        with scene.watch.over(f"delete {what}"):
            scene.world.connection.execute(deleted, values)


def forget(scene: Scene) -> None:
    """What the night's run does when nothing is old; a moment ago, else the limits of this moment are spent again."""
    for what, purge in retention.PURGES.items():
        with scene.watch.over(f"at night: {what.replace('_', ' ')}"):
            done = purge(database.connection_for_jobs(), scene.now - timedelta(minutes=1), retention.BATCH)
        assert not done, (what, done)
