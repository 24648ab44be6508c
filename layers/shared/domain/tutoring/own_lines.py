"""The lines of an order of sessions, as their buyer sees them and as a receipt prints them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from pydantic import BaseModel, Field

from domain import french
from domain.clock import on_toronto_clock
from domain.orders.lines import PrintedLine
from domain.orders.models import Cad
from domain.tutoring.queries import SessionSold, select_lines

NOTES: Mapping[str | None, str] = {
    "cancelled": "Séance annulée",
    "refunded": "Séance remboursée",
    None: "Séance remboursée",
}


class SessionLine(BaseModel):
    """`appointment_id` and its status are null when the session could not be booked and was refunded."""

    id: UUID
    kind: Literal["session"] = "session"
    title_fr: str
    appointment_id: UUID | None
    appointment_status: Literal["scheduled", "completed", "cancelled", "refunded"] | None
    course_title_fr: str
    tutor_display_name: str
    start: datetime
    end: datetime
    duration_min: int
    price_cad: Cad
    discount_share_cad: Cad
    returned_cad: Cad = Field(description="Ce qui en a été rendu, à la carte ou en crédit")


@dataclass(frozen=True, slots=True)
class SessionLines:
    """The lines of an order by start."""

    columns: tuple[str, str] = ("Séance", "Date")
    tells_net: bool = False

    def show(self, connection: Connection[Any], order_id: UUID, now: datetime) -> Sequence[SessionLine]:
        return [_shown(line) for line in select_lines(connection, order_id)]

    def print(self, connection: Connection[Any], order_id: UUID, now: datetime) -> Sequence[PrintedLine]:
        return [_printed(line) for line in select_lines(connection, order_id)]


def _shown(line: SessionSold) -> SessionLine:
    return SessionLine(
        id=line.id,
        title_fr=line.title_fr,
        appointment_id=line.appointment_id,
        appointment_status=line.appointment_status,
        course_title_fr=line.course_title_fr,
        tutor_display_name=line.tutor_display_name,
        start=on_toronto_clock(line.start),
        end=on_toronto_clock(line.end),
        duration_min=line.duration_min,
        price_cad=str(line.price_cad),
        discount_share_cad=str(line.discount_share_cad),
        returned_cad=str(line.returned_cad),
    )


def _printed(line: SessionSold) -> PrintedLine:
    return PrintedLine(
        title=line.course_title_fr,
        detail=f"Avec {line.tutor_display_name}",
        note=NOTES.get(line.appointment_status),
        when=french.moment(line.start),
        when_note=french.duration(line.duration_min),
        price_cad=line.price_cad,
    )
