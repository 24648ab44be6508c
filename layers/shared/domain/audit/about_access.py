"""What can be wrong with access to trainings."""

from collections.abc import Mapping

ACCESS: Mapping[str, str] = {
    "two enrolments of one person in one training at one time": """
        SELECT one.id FROM enrolments AS one JOIN enrolments AS other
            ON one.id < other.id AND (one.user_id, one.training_id) = (other.user_id, other.training_id)
           AND one.during && other.during
         WHERE one.revoked_at IS NULL AND other.revoked_at IS NULL
    """,
    "an enrolment that is not what was paid for": """
        SELECT enrolments.id FROM enrolments
          JOIN access_items AS access ON access.id = enrolments.order_item_id
          JOIN order_items AS item ON item.id = access.id
          JOIN orders ON orders.id = item.order_id
         WHERE (enrolments.user_id, enrolments.training_id) <> (orders.user_id, access.training_id)
    """,
    "a training twice in one cart": """
        SELECT cart_id FROM cart_trainings WHERE removed_at IS NULL
         GROUP BY cart_id, training_id HAVING count(*) > 1
    """,
}
