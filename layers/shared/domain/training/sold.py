"""What became of the trainings of a paid checkout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.checkout.checkout import Checkout
from domain.ids import new_id
from domain.orders.orders import NewLine
from domain.training.enrolments import NewEnrolment, enrol
from domain.training.snapshot import SnapshotTraining, trainings_of


@dataclass(frozen=True)
class Sold:
    """The trainings of a paid checkout, in its order, each with its line; `expiries` of those that access was given to.

    The others are lost: the buyer follows them already, by another purchase that was first.
    """

    checkout: Checkout
    trainings: Sequence[SnapshotTraining]
    enrolments: Sequence[NewEnrolment]
    expiries: Mapping[UUID, datetime]

    @cached_property
    def lines(self) -> Sequence[NewLine]:
        return [
            NewLine(
                id=enrolment.order_item_id,
                kind="access",
                title_fr=training.title_fr,
                price_cad=training.price_cad,
                discount_share_cad=training.discount_share_cad,
                credit_share_cad=money.ZERO,
            )
            for training, enrolment in zip(self.trainings, self.enrolments, strict=True)
        ]

    @property
    def lost(self) -> Sequence[NewLine]:
        return [line for line in self.lines if line.id not in self.expiries]


def deliver(
    connection: Connection[Any], checkout: Checkout, user_id: UUID, paid_at: datetime, now: datetime
) -> Sold:
    """Give the buyer access to what they have paid for, as far as they have none yet."""
    trainings = trainings_of(checkout)
    new = [
        NewEnrolment(new_id(), new_id(), training.training_id, training.access_days) for training in trainings
    ]
    given = enrol(connection, user_id, new, paid_at, now).fetchall()
    return Sold(checkout, trainings, new, {one.order_item_id: one.expires_at for one in given})
