"""What lets somebody in as a person, besides the password."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.accounts.sign_ins import end_sessions
from domain.appointments.end_feed import end_feed
from domain.checkout.former_guests import end_sign_ins, forget_guests


def end_entries(connection: Connection[Any], user_id: UUID, now: datetime) -> None:
    """End every session of a person, every right to one, and their calendar's address (decision 22).

    The cookies that the person bought with as a guest read nothing of it any more.
    The rights come first: a checkout that is just signing the person in is waited for, and its session ends too.
    """
    end_sign_ins(connection, user_id, now)
    forget_guests(connection, user_id)
    end_sessions(connection, user_id, now)
    end_feed(connection, user_id)
