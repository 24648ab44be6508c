"""The lines of an order of trainings, as their buyer sees them and as a receipt prints them."""

from collections.abc import Sequence
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
from domain.training.enrolments import EnrolmentStatus
from domain.training.order_lines import AccessSold, Given, select_lines


class BoughtAccess(BaseModel):
    id: UUID
    starts_at: datetime
    expires_at: datetime
    status: EnrolmentStatus


class AccessLine(BaseModel):
    """`enrolment` is null when the buyer followed the training already and the line was refunded."""

    id: UUID
    kind: Literal["access"] = "access"
    title_fr: str
    training_id: UUID
    slug: str
    access_days: int
    price_cad: Cad
    discount_share_cad: Cad
    returned_cad: Cad = Field(description="Ce qui en a été rendu à la carte")
    enrolment: BoughtAccess | None


@dataclass(frozen=True, slots=True)
class AccessLines:
    """The lines of an order in its order."""

    columns: tuple[str, str] = ("Cours", "Accès")
    tells_net: bool = True

    def show(self, connection: Connection[Any], order_id: UUID, now: datetime) -> Sequence[AccessLine]:
        return [_shown(line) for line in select_lines(connection, order_id, now)]

    def print(self, connection: Connection[Any], order_id: UUID, now: datetime) -> Sequence[PrintedLine]:
        return [_printed(line) for line in select_lines(connection, order_id, now)]


def _shown(line: AccessSold) -> AccessLine:
    return AccessLine(
        id=line.id,
        title_fr=line.title_fr,
        training_id=line.training_id,
        slug=line.slug,
        access_days=line.access_days,
        price_cad=str(line.price_cad),
        discount_share_cad=str(line.discount_share_cad),
        returned_cad=str(line.returned_cad),
        enrolment=_access(line.enrolment) if line.enrolment else None,
    )


def _access(given: Given) -> BoughtAccess:
    return BoughtAccess(
        id=given.id,
        starts_at=on_toronto_clock(given.starts_at),
        expires_at=on_toronto_clock(given.expires_at),
        status=given.status,
    )


def _printed(line: AccessSold) -> PrintedLine:
    days = "1\u00a0jour" if line.access_days == 1 else f"{line.access_days}\u00a0jours"
    return PrintedLine(
        title=line.title_fr,
        detail=None,
        note=_note(line.enrolment),
        when=f"Accès de {days}",
        when_note=f"Jusqu'au {french.moment(line.enrolment.expires_at)}" if line.enrolment else None,
        price_cad=line.price_cad,
    )


def _note(given: Given | None) -> str | None:
    if given is None:
        return "Cours remboursé"
    return "Accès retiré" if given.status == "revoked" else None
