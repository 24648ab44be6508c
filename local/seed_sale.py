"""A sale of two months ago, with the one use there was of a coupon: what makes a coupon honestly used up.

The coupon paid for all of it, so no payment service need know of it; and it is too old for anybody to be told.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    import psycopg

BUYER = "noemie@exemple.ca"
TUTOR = "amelie@exemple.ca"
COURSE = "francais-secondaire"
COUPON = "COMPLET"

# The order first: everything else names it, and the appointment's time must be its own.
_STATEMENTS = (
    """
    INSERT INTO users (id, email, first_name, last_name, role, phone, created_at, updated_at)
    VALUES (%(buyer)s, %(email)s, 'Noémie', 'Gauthier', 'student', NULL, %(bought)s, %(bought)s)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO orders (product, id, user_id, status, source, subtotal_cad, discount_cad, total_cad, coupon_id,
           coupon_code,
                        created_at, updated_at)
    VALUES ('tutoring', %(order)s, %(buyer)s, 'paid', 'free', 45.00, 45.00, 0.00, %(coupon)s, %(code)s,
           %(bought)s, %(bought)s)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO coupon_redemptions (order_id, coupon_id, user_id, code, discount_cad, created_at)
    VALUES (%(order)s, %(coupon)s, %(buyer)s, %(code)s, 45.00, %(bought)s)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO order_items (id, order_id, kind, position, title_fr, unit_price_cad, line_total_cad,
                             discount_share_cad)
    SELECT %(line)s, %(order)s, 'session', 0, title_fr, 45.00, 45.00, 45.00 FROM courses WHERE id = %(course)s
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO session_items (id, course_id, tutor_id, start_datetime, end_datetime, duration_min)
    VALUES (%(line)s, %(course)s, %(tutor)s, %(start)s, %(end)s, 60)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO earnings (order_item_id, tutor_id, hours, rate_cad, amount_cad, status)
    VALUES (%(line)s, %(tutor)s, 1.00, 35.00, 35.00, 'earned')
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO time_claims (id, tutor_id, during, kind)
    VALUES (%(appointment)s, %(tutor)s, tstzrange(%(start)s, %(end)s), 'appointment')
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO appointments (id, user_id, tutor_id, course_id, order_item_id, start_datetime, end_datetime, status,
                              completed_at, sequence, created_at, updated_at)
    VALUES (%(appointment)s, %(buyer)s, %(tutor)s, %(course)s, %(line)s, %(start)s, %(end)s, 'completed',
            %(end)s, 1, %(bought)s, %(end)s)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO appointment_modifications (id, appointment_id, modification_type, reason, old_data, new_data,
                                           sequence, created_at)
    VALUES (%(modification)s, %(appointment)s, 'completion', 'Statut changé vers terminé',
            '{"status": "scheduled", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
            '{"status": "completed", "cancellation_reason": null, "cancelled_by": null, "cancelled_at": null}',
            1, %(end)s)
    ON CONFLICT DO NOTHING
    """,
)


def insert_sale(cursor: "psycopg.Cursor[Any]", new_id: Callable[..., UUID], today: datetime) -> None:
    """Write the sale; people, courses and coupons are there already. `today` is midnight in Toronto."""
    monday = today - timedelta(days=60 + today.weekday())
    start = monday.replace(hour=11)
    facts = {
        "email": BUYER,
        "code": COUPON,
        "buyer": new_id("user", BUYER),
        "tutor": new_id("user", TUTOR),
        "course": new_id("course", COURSE),
        "coupon": new_id("coupon", COUPON),
        "order": new_id("order", BUYER),
        "line": new_id("order item", BUYER),
        "appointment": new_id("appointment", BUYER),
        "modification": new_id("completion", BUYER),
        "bought": monday - timedelta(days=7),
        "start": start,
        "end": start + timedelta(hours=1),
    }
    for statement in _STATEMENTS:
        cursor.execute(statement, facts)
