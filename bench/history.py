"""The past of a school, written in a few statements: what is left of every sale, and what retention has not purged yet.

Fifty sessions once for each of five tutors and each of five students, and `times` as many: further and further back, so
that what lies within a window of days stays the same. Beside them a crowd, `times` fifty people who bought once within
the last months, and all that is kept for days or weeks only: carts, checkouts, sessions, keys, deliveries. The night's
audit finds nothing wrong in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection

PLACES = 50
"""Sessions of a tutor, and of a student, that were there at the beginning."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who has a past. As many students as tutors."""

    tutors: Sequence[UUID]
    students: Sequence[UUID]
    course: UUID
    other_course: UUID
    admin: UUID


def lay(connection: Connection[Any], cast: Cast, times: int, now: datetime) -> None:
    """Write a past of `times` the first one's length, until the day before `now`, and let PostgreSQL take stock."""
    values = {
        "tutors": list(cast.tutors),
        "students": list(cast.students),
        "people": len(cast.tutors),
        "course": cast.course,
        "other_course": cast.other_course,
        "admin": cast.admin,
        "times": times,
        "places": PLACES,
        "now": now,
    }
    with connection.transaction():
        for statement in (*SESSIONS, *SALES, *BOOKINGS, *MONEY_BACK, *TOLD, *KEPT_FOR_A_WHILE, *DROPPED):
            connection.execute(statement, values)
    connection.execute("VACUUM ANALYZE")


# Every fiftieth session of a student meets the same fate, none of them younger than forty days.
SESSIONS: tuple[LiteralString, ...] = (
    """
    CREATE FUNCTION pg_temp.id_of(what text, place bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(what || place)::uuid
    """,
    """
    CREATE FUNCTION pg_temp.event_id(told_at timestamptz, key text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'evt_' || lpad(to_hex((extract(epoch FROM told_at) * 1000)::bigint), 12, '0') || left(md5(key), 20)
    """,
    """
    CREATE TEMP TABLE crowd_tutor AS
    SELECT pg_temp.id_of('tutor', n) AS id, n FROM generate_series(0, %(times)s - 1) AS n
    """,
    """
    INSERT INTO users (id, email, first_name, last_name, role, created_at)
    SELECT id, 'tutrice' || n || '@exemple.ca', 'Tutrice', 'Exemple', 'tutor', %(now)s - interval '20 years'
      FROM crowd_tutor
    """,
    """
    INSERT INTO tutors (id, display_name, bio_fr, hourly_base_rate_cad)
    SELECT id, 'Tutrice ' || n, '', 30 FROM crowd_tutor
    """,
    "INSERT INTO tutor_courses (tutor_id, course_id) SELECT id, %(other_course)s FROM crowd_tutor",
    """
    CREATE TEMP TABLE past AS
    WITH known AS (
        SELECT n, n / %(people)s AS day, mod(n, %(people)s) AS tutor,
               mod(n / %(people)s, %(people)s) AS student
          FROM generate_series(0, %(people)s * %(places)s * %(times)s - 1) AS n),
    placed AS (
        SELECT n, true AS known, (%(tutors)s::uuid[])[tutor + 1] AS tutor_id,
               (%(students)s::uuid[])[student + 1] AS student_id, %(course)s::uuid AS course_id,
               date_trunc('day', %(now)s::timestamptz) - make_interval(days => 2 * (day + 1))
                   + make_interval(hours => 14 + tutor) AS starts,
               mod(day / %(people)s * %(people)s + tutor, %(places)s) AS fate
          FROM known
         UNION ALL
        SELECT 1000000 + n, false, pg_temp.id_of('tutor', n / %(places)s), pg_temp.id_of('buyer', n),
               %(other_course)s, date_trunc('day', %(now)s::timestamptz)
                   - make_interval(days => 1 + mod(n, %(places)s) * 3 / 2) + interval '15 hours', 0
          FROM generate_series(0, %(places)s * %(times)s - 1) AS n)
    SELECT n, known, tutor_id, student_id, course_id, fate, starts, starts + interval '1 hour' AS ends,
           starts - interval '3 days' AS booked_at,
           pg_temp.id_of('session', n) AS id, pg_temp.id_of('order', n) AS order_id,
           pg_temp.id_of('line', n) AS line_id, 'pi_' || md5(n::text) AS intent_id,
           CASE WHEN known AND mod(fate, 10) = 3 THEN 4.50 ELSE 0 END AS discount,
           CASE WHEN known AND fate IN (25, 35, 45) THEN 45 ELSE 0 END AS credits,
           CASE WHEN known AND fate IN (22, 24) THEN 'lost' WHEN known AND fate IN (20, 30, 40) THEN 'cancelled'
                ELSE 'completed' END AS what,
           known AND fate IN (6, 16, 36) AS moved
      FROM placed ORDER BY starts, n
    """,
    "ANALYZE past",
)

SALES: tuple[LiteralString, ...] = (
    """
    INSERT INTO users (id, email, first_name, last_name, phone, role, stripe_customer_id, created_at)
    SELECT student_id, 'acheteur' || n || '@exemple.ca', 'Zoé', 'Tremblay', '+15145550123', 'student', 'cus_' || n,
           booked_at
      FROM past WHERE NOT known
    """,
    """
    INSERT INTO coupons (product, id, code, type, value, redemption_count)
    SELECT 'tutoring', pg_temp.id_of('coupon', 0), 'MERCI', 'percent', 10, count(*) FROM past WHERE discount > 0
    """,
    """
    INSERT INTO carts (product, id, user_id, session_hash, coupon_id, version, created_at, updated_at)
    SELECT DISTINCT ON (student_id) 'tutoring', md5('cart' || student_id)::uuid, student_id, NULL::bytea, NULL::uuid, 1,
           %(now)s - interval '20 years', booked_at
      FROM past ORDER BY student_id, booked_at DESC
    """,
    """
    INSERT INTO cart_sessions (id, cart_id, course_id, tutor_id, tutor_selection, start_datetime, duration_min,
                            unit_price_cad, line_total_cad, hold_expires_at, created_at, removed_at)
    SELECT id, md5('cart' || student_id)::uuid, course_id, tutor_id, 'auto', starts, 60, 45, 45,
           booked_at, booked_at - interval '15 minutes', booked_at
      FROM past ORDER BY booked_at
    """,
    """
    INSERT INTO orders (product, id, user_id, status, source, subtotal_cad, discount_cad, total_cad,
           credits_applied_cad,
                        refunded_cad, stripe_payment_intent_id, coupon_id, coupon_code, billing, created_at, updated_at)
    SELECT 'tutoring', order_id, student_id,
           CASE WHEN known AND fate IN (22, 24, 26, 34) THEN 'refunded' ELSE 'paid' END::order_status,
           CASE WHEN credits > 0 THEN 'credit' ELSE 'stripe' END::order_source,
           45, discount, 45 - discount, credits,
           CASE WHEN known AND fate IN (22, 24, 26, 34) THEN 45 ELSE 0 END,
           CASE WHEN credits = 0 THEN intent_id END,
           CASE WHEN discount > 0 THEN pg_temp.id_of('coupon', 0) END, CASE WHEN discount > 0 THEN 'MERCI' END,
           '{"address": "1, rue Principale", "city": "Québec", "province": "QC", "country": "CA"}', booked_at, booked_at
      FROM past ORDER BY booked_at
    """,
    """
    INSERT INTO order_items (id, order_id, kind, position, title_fr, unit_price_cad, line_total_cad,
                             discount_share_cad, credit_share_cad, credit_promised)
    SELECT line_id, order_id, 'session', 0, 'Mathématiques', 45, 45, discount, credits, what = 'cancelled'
      FROM past ORDER BY booked_at
    """,
    """
    INSERT INTO session_items (id, course_id, tutor_id, start_datetime, end_datetime, duration_min)
    SELECT line_id, course_id, tutor_id, starts, ends, 60 FROM past ORDER BY booked_at
    """,
    """
    INSERT INTO earnings (order_item_id, tutor_id, hours, rate_cad, amount_cad, status, paid_at)
    SELECT line_id, tutor_id, 1, 30, 30,
           CASE WHEN what <> 'completed' THEN 'cancelled' WHEN starts < %(now)s - interval '60 days' THEN 'paid'
                ELSE 'earned' END::earnings_status,
           CASE WHEN what = 'completed' AND starts < %(now)s - interval '60 days' THEN ends END
      FROM past ORDER BY booked_at
    """,
    """
    INSERT INTO coupon_redemptions (order_id, coupon_id, user_id, code, discount_cad, created_at)
    SELECT order_id, pg_temp.id_of('coupon', 0), student_id, 'MERCI', discount, booked_at FROM past WHERE discount > 0
    """,
    """
    INSERT INTO checkouts (product, id, status, payment_intent_id, client_secret_hash, cart_id, cart_version,
           session_hash,
                           user_id, billing, items, coupon_id, coupon_code, subtotal_cad, discount_cad, total_cad,
                           credits_applied_cad, amount_cents, created_at, expires_at, settled_at, order_id,
                           account_created, signed_in_at)
    SELECT 'tutoring', pg_temp.id_of('checkout', n), 'settled', CASE WHEN credits = 0 THEN intent_id END,
           sha256(intent_id::bytea), md5('cart' || student_id)::uuid, 1,
           CASE WHEN NOT known THEN sha256(n::text::bytea) END, student_id,
           '{"address": "1, rue Principale", "city": "Québec", "province": "QC", "country": "CA"}',
           jsonb_build_array(jsonb_build_object(
               'id', id, 'course_id', course_id, 'tutor_id', tutor_id, 'tutor_selection', 'auto', 'start', starts,
               'duration_min', 60, 'price_cad', '45.00', 'discount_share_cad', discount::text,
               'credit_share_cad', credits::text, 'rate_at_time', '30.00', 'tutor_earnings_cad', '30.00')),
           CASE WHEN discount > 0 THEN pg_temp.id_of('coupon', 0) END, CASE WHEN discount > 0 THEN 'MERCI' END,
           45, discount, 45 - discount, credits, (45 - discount - credits) * 100, booked_at - interval '5 minutes',
           booked_at + interval '1 day', booked_at, order_id, NOT known, CASE WHEN NOT known THEN booked_at END
      FROM past WHERE booked_at > %(now)s - interval '89 days' ORDER BY booked_at
    """,
)

BOOKINGS: tuple[LiteralString, ...] = (
    """
    INSERT INTO time_claims (id, tutor_id, during, kind)
    SELECT id, tutor_id, tstzrange(starts, ends), 'appointment' FROM past WHERE what = 'completed' ORDER BY booked_at
    """,
    """
    INSERT INTO appointments (id, user_id, tutor_id, course_id, order_item_id, start_datetime, end_datetime, status,
                              cancellation_reason, cancelled_by, cancelled_at, completed_at, reminder_sent_at,
                              created_at, updated_at, sequence, moved_at)
    SELECT id, student_id, tutor_id, course_id, line_id, starts, ends, what::appointment_status,
           CASE WHEN what = 'cancelled' THEN 'Empêchement' END, CASE WHEN what = 'cancelled' THEN student_id END,
           CASE WHEN what = 'cancelled' THEN starts - interval '3 hours' END,
           CASE WHEN what = 'completed' THEN ends END, starts - interval '1 day', booked_at, ends, 1 + moved::int,
           CASE WHEN moved THEN booked_at + interval '1 day' END
      FROM past WHERE what <> 'lost' ORDER BY booked_at
    """,
    """
    INSERT INTO appointment_modifications (id, appointment_id, modified_by, modification_type, reason, old_data,
                                           new_data, sequence, created_at)
    SELECT gen_random_uuid(), id, CASE kind WHEN 'completion' THEN NULL ELSE student_id END, kind, 'Empêchement',
           '{"status": "scheduled", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
           '{"status": "completed", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
           place, ends
      FROM past
     CROSS JOIN LATERAL (
           SELECT 'reschedule'::modification_type AS kind, 1 AS place WHERE moved
            UNION ALL
           SELECT CASE what WHEN 'completed' THEN 'completion' ELSE 'cancellation' END::modification_type,
                  1 + moved::int) AS change
     WHERE what <> 'lost' ORDER BY ends
    """,
    """
    INSERT INTO availability_exceptions (id, tutor_id, kind, start_date, end_date, note)
    SELECT gen_random_uuid(), tutor, 'closed', first, first + 2, 'Vacances'
      FROM unnest(%(tutors)s::uuid[]) AS tutor
     CROSS JOIN LATERAL (SELECT %(now)s::date - 9 - 20 * n AS first FROM generate_series(1, 5 * %(times)s) AS n) AS past
    """,
    """
    INSERT INTO time_offs (id, tutor_id, start_datetime, end_datetime)
    SELECT gen_random_uuid(), tutor, begins, begins + interval '2 hours'
      FROM unnest(%(tutors)s::uuid[]) AS tutor
     CROSS JOIN LATERAL (
           SELECT %(now)s - make_interval(days => 20 * n) AS begins FROM generate_series(1, 5 * %(times)s) AS n) AS past
    """,
)

# 22: could not be booked, given back to the card. 24: the same, but that the bank refused and somebody gave it back by
# hand. 26: given back by hand. 28, 32: disputed, lost and won. 34: given back by hand and lost in a dispute besides.
# 38: given back by hand, and sent back by the bank.
MONEY_BACK: tuple[LiteralString, ...] = (
    """
    INSERT INTO refunds (id, payment_intent_id, order_id, order_item_id, amount_cents, reason, status, stripe_refund_id,
                         attempts, made_elsewhere, next_attempt_at, created_at, processed_at, undone)
    SELECT pg_temp.id_of('refund' || kind, n), intent_id, order_id, CASE WHEN by_hand THEN NULL ELSE line_id END, 4500,
           'Créneau devenu indisponible', status, CASE WHEN status <> 'superseded' THEN 're_' || kind || n END, 1,
           by_hand, booked_at, booked_at, CASE WHEN status = 'processed' THEN booked_at END, status <> 'processed'
      FROM past
     CROSS JOIN LATERAL (
           SELECT 'card' AS kind, CASE fate WHEN 22 THEN 'processed' ELSE 'superseded' END::refund_status AS status,
                  false AS by_hand WHERE fate IN (22, 24)
            UNION ALL
           SELECT 'hand', CASE fate WHEN 38 THEN 'failed' ELSE 'processed' END::refund_status, true
            WHERE fate IN (24, 26, 34, 38)) AS refund
     WHERE known ORDER BY booked_at
    """,
    """
    INSERT INTO refund_readings (payment_intent_id, drawn, applied)
    SELECT DISTINCT payment_intent_id, 1, 1 FROM refunds
    """,
    """
    INSERT INTO payment_disputes (stripe_dispute_id, payment_intent_id, amount_cents, currency, reason, status,
                                  opened_at, closed_at)
    SELECT 'dp_' || n, intent_id, 4500, 'CAD', 'fraudulent', CASE fate WHEN 32 THEN 'won' ELSE 'lost' END, ends,
           ends + interval '30 days'
      FROM past WHERE known AND fate IN (28, 32, 34) ORDER BY booked_at
    """,
    """
    INSERT INTO line_returns (id, order_item_id, way, amount_cad, refund_id, created_at, undone_at)
    SELECT gen_random_uuid(), line_id, CASE WHEN made_elsewhere THEN 'dashboard' ELSE 'card' END::return_way, 45,
           refunds.id, created_at, CASE WHEN status <> 'processed' THEN created_at END
      FROM past JOIN refunds USING (order_id) ORDER BY created_at
    """,
    """
    INSERT INTO line_returns (id, order_item_id, way, amount_cad, dispute_id, created_at, undone_at)
    SELECT gen_random_uuid(), line_id, 'dispute', 45, 'dp_' || n, ends,
           CASE fate WHEN 32 THEN ends + interval '30 days' END
      FROM past WHERE known AND fate IN (28, 32) ORDER BY ends
    """,
    """
    INSERT INTO over_returns (id, order_id, way, amount_cad, dispute_id, created_at, resolved_at, resolution)
    SELECT gen_random_uuid(), order_id, 'dispute', 45, 'dp_' || n, ends, ends + interval '40 days', 'Repris'
      FROM past WHERE known AND fate = 34 ORDER BY ends
    """,
    """
    INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_item_id, created_by, created_at)
    SELECT pg_temp.id_of('credit', n), student_id, 45, 'cancellation', line_id, student_id, starts - interval '3 hours'
      FROM past WHERE what = 'cancelled' ORDER BY starts
    """,
    """
    INSERT INTO line_returns (id, order_item_id, way, amount_cad, credit_entry_id, created_at)
    SELECT gen_random_uuid(), line_id, 'credit', 45, pg_temp.id_of('credit', n), starts - interval '3 hours'
      FROM past WHERE what = 'cancelled' ORDER BY starts
    """,
    """
    INSERT INTO credit_transactions (id, user_id, amount_cad, type, order_id, created_at)
    SELECT gen_random_uuid(), student_id, -credits, 'order_payment', order_id, booked_at
      FROM past WHERE credits > 0 ORDER BY booked_at
    """,
    """
    INSERT INTO orphan_payments (payment_intent_id, amount_cents, currency, received_at, refund_after, resolved_at,
                                 resolution)
    SELECT 'pi_orphan' || n, 4500, 'CAD', at, at, at, 'Expliqué'
      FROM (SELECT n, %(now)s - make_interval(days => n) AS at FROM generate_series(1, 5 * %(times)s) AS n) AS past
    """,
)

TOLD: tuple[LiteralString, ...] = (
    """
    CREATE TEMP TABLE told AS
    SELECT past.*, fact.*, type || ':' || n AS key,
           row_number() OVER (PARTITION BY ordering_key ORDER BY told_at, type = 'booking.created') AS place
      FROM past
     CROSS JOIN LATERAL (
           SELECT 'signup' AS type, 'SIGNUP' AS area, 'order:' || order_id AS ordering_key, booked_at AS told_at
            WHERE NOT known
            UNION ALL
           SELECT 'booking.created', 'BOOKING', 'order:' || order_id, booked_at WHERE what <> 'lost'
            UNION ALL
           SELECT 'booking.rescheduled', 'BOOKING', 'appointment:' || id, booked_at + interval '1 day' WHERE moved
            UNION ALL
           SELECT 'appointment.reminder', 'BOOKING', 'appointment:' || id, starts - interval '1 day'
            WHERE what = 'completed'
            UNION ALL
           SELECT 'booking.cancelled', 'CANCELLATION', 'appointment:' || id, starts - interval '3 hours'
            WHERE what = 'cancelled'
            UNION ALL
           SELECT 'appointment.completed', 'COMPLETION', 'appointment:' || id, ends WHERE what = 'completed'
            UNION ALL
           SELECT 'order.refunded', 'BOOKING', 'order:' || order_id, booked_at + interval '1 minute'
            WHERE known AND fate IN (22, 24, 26, 34)) AS fact
    """,
    """
    INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, attempts, next_attempt_at,
                        created_at, delivered_at, endpoint, about_user, about_order)
    SELECT pg_temp.event_id(told_at, key), type, key, ordering_key, place,
           CASE WHEN told_at > %(now)s - interval '89 days' THEN convert_to(jsonb_build_object(
               'type', type, 'event_id', pg_temp.event_id(told_at, key), 'sequence', place, 'environment', 'dev',
               'payload', jsonb_build_object(
                   'order_id', order_id, 'user_id', student_id, 'item_count', 1,
                   'total_cad', to_char(45 - discount, 'FM990.00'), 'appointment_id', id,
                   'said', repeat('x', 400)))::text, 'UTF8') END,
           'delivered', 1, told_at, told_at, told_at + interval '20 seconds', area, student_id, order_id
      FROM told WHERE told_at > %(now)s - interval '395 days' ORDER BY told_at, place
    """,
    """
    INSERT INTO outbox_forgotten (dedupe_key, ordering_key, sequence)
    SELECT key, ordering_key, place FROM told WHERE told_at <= %(now)s - interval '395 days' ORDER BY told_at, place
    """,
    """
    INSERT INTO webhook_attempts (event_id, attempt_no, trigger, started_at, duration_ms, status_code, error_class)
    SELECT pg_temp.event_id(told_at, key), 1, 'auto', told_at, 80, 503, 'HTTPError'
      FROM told WHERE told_at > %(now)s - interval '29 days' AND mod(n, 10) = 0 ORDER BY told_at
    """,
    """
    INSERT INTO outbox_forgotten (dedupe_key, ordering_key, sequence)
    SELECT 'course.updated:' || n, 'course:' || n, 1 FROM generate_series(1, 100 * %(times)s) AS n
    """,
    """
    INSERT INTO audit_log (at, actor_id, action, entity, entity_id, before, after)
    SELECT %(now)s - make_interval(hours => 2 * n), CASE WHEN mod(n, 5) = 0 THEN NULL ELSE %(admin)s END,
           'webhooks.read', 'webhook', 'evt_' || n, '{}', '{}'
      FROM generate_series(20 * %(times)s, 1, -1) AS n
    """,
    """
    INSERT INTO webhook_redeliveries (id, actor_id, events, created_at)
    SELECT gen_random_uuid(), %(admin)s, 5, %(now)s - make_interval(days => n) FROM generate_series(1, %(times)s) AS n
    """,
)

KEPT_FOR_A_WHILE: tuple[LiteralString, ...] = (
    """
    INSERT INTO webhook_events (source, external_event_id, type, received_at, processed_at)
    SELECT 'stripe', 'evt_' || n, 'payment_intent.succeeded', booked_at, booked_at
      FROM past WHERE booked_at > %(now)s - interval '396 days' ORDER BY booked_at
    """,
    """
    INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at, revoked_at)
    SELECT sha256((student_id || n::text)::bytea), student_id, begun, begun + interval '30 days',
           CASE WHEN mod(n, 3) = 0 THEN begun + interval '1 hour' END
      FROM (SELECT student_id, n, %(now)s - make_interval(days => mod(n, 29)) AS begun FROM past WHERE NOT known
             UNION ALL
            SELECT student, n, %(now)s - make_interval(days => n)
              FROM unnest(%(students)s::uuid[]) AS student, generate_series(1, 29) AS n) AS past
    """,
    """
    CREATE TEMP TABLE visit AS
    SELECT n, pg_temp.id_of('visit', n) AS cart_id, sha256(('visit' || n)::bytea) AS session_hash,
           %(now)s - make_interval(mins => mod(n, 1200)) AS left_at
      FROM generate_series(1, %(places)s * %(times)s) AS n
    """,
    """
    INSERT INTO carts (product, id, session_hash, version, created_at, updated_at)
    SELECT 'tutoring', cart_id, session_hash, 2, left_at - make_interval(days => mod(n, 29)),
           left_at - make_interval(days => mod(n, 29))
      FROM visit ORDER BY 4
    """,
    """
    INSERT INTO cart_sessions (id, cart_id, course_id, tutor_id, tutor_selection, start_datetime, duration_min,
                            unit_price_cad, line_total_cad, hold_expires_at, created_at, removed_at)
    SELECT gen_random_uuid(), cart_id, %(course)s, (%(tutors)s::uuid[])[1 + mod(n, %(people)s)], 'auto',
           date_trunc('day', left_at), 60, 45, 45, left_at - interval '2 hours', left_at - interval '3 hours',
           CASE WHEN again = 1 THEN left_at END
      FROM visit, generate_series(1, 2) AS again
    """,
    """
    INSERT INTO checkouts (product, id, status, payment_intent_id, client_secret_hash, cart_id, cart_version,
           session_hash,
                           billing, items, subtotal_cad, discount_cad, total_cad, amount_cents, created_at, expires_at,
                           intent_closed_at)
    SELECT 'tutoring', pg_temp.id_of('left', n), 'cancelled', 'pi_left' || n, sha256(n::text::bytea), cart_id,
           1, session_hash,
           '{"city": "Québec"}', '[{}]', 45, 0, 45, 4500, left_at - interval '2 hours', left_at + interval '22 hours',
           left_at
      FROM visit ORDER BY left_at
    """,
    """
    INSERT INTO idempotency_keys (scope, body_hash, answer, checkout_id, created_at)
    SELECT sha256(('key' || n)::bytea), session_hash, convert_to(repeat('x', 300), 'UTF8'),
           CASE WHEN mod(n, 2) = 0 THEN pg_temp.id_of('left', n) END, left_at
      FROM visit ORDER BY left_at
    """,
    """
    INSERT INTO calendar_feeds (user_id, token, created_at)
    SELECT student_id, encode(sha256(n::text::bytea), 'hex'), booked_at FROM past WHERE NOT known AND mod(n, 5) = 0
    """,
)

DROPPED: tuple[LiteralString, ...] = ("DROP TABLE past, told, visit, crowd_tutor",)
