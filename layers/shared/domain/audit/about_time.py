"""What can be wrong with the time of tutors, holds and appointments."""

from collections.abc import Mapping

TIME: Mapping[str, str] = {
    "two owners of one minute of a tutor": """
        SELECT one.id FROM time_claims AS one JOIN time_claims AS other
            ON one.id < other.id AND one.tutor_id = other.tutor_id AND one.during && other.during
    """,
    "two appointments of one minute of a tutor": """
        SELECT id FROM (
               SELECT id, start_datetime < max(end_datetime) OVER (
                          PARTITION BY tutor_id ORDER BY start_datetime, id
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken
                 FROM appointments WHERE status IN ('scheduled', 'completed')) AS one
         WHERE taken
    """,
    "an appointment without its time": """
        SELECT appointments.id FROM appointments
          LEFT JOIN time_claims AS claim
            ON (claim.id, claim.tutor_id, claim.during) = (appointments.id, appointments.tutor_id, appointments.during)
               AND claim.kind = 'appointment'
         WHERE status IN ('scheduled', 'completed') AND claim.id IS NULL
    """,
    "time taken for no appointment": """
        SELECT claim.id FROM time_claims AS claim LEFT JOIN appointments USING (id)
         WHERE claim.kind = 'appointment' AND appointments.id IS NULL
    """,
    "a hold for no session of a cart": """
        SELECT hold.id FROM time_claims AS hold
          LEFT JOIN cart_sessions AS item
            ON item.id = hold.id AND item.tutor_id = hold.tutor_id AND item.removed_at IS NULL
               AND hold.during = tstzrange(item.start_datetime,
                                           item.start_datetime + make_interval(mins => item.duration_min::int))
         WHERE hold.kind = 'hold' AND hold.expires_at > %(now)s AND item.id IS NULL
    """,
}
