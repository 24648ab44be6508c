"""What the people of the school do: students and newcomers buy, everybody cancels and moves, the office refunds.

They call the use cases the handlers call. Whatever is refused is counted, and nobody insists.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any
from uuid import UUID, uuid4

import stripe

from adapters import database
from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.appointments.booked import By
from domain.appointments.change_status import cancel
from domain.appointments.reschedule import reschedule
from domain.appointments.student import list_reschedule_slots
from domain.cart.add_items import add_items
from domain.cart.change_cart import apply_coupon, remove_item
from domain.cart.models import WantedSession
from domain.cart.view_cart import view_cart
from domain.catalog.browse import free_slots
from domain.checkout.models import CheckoutStarted
from domain.clock import TORONTO
from domain.errors import Refused
from domain.product import Product
from domain.products.follow_checkout import follow_checkout
from domain.tutoring.models import StartCheckout
from tests.support.life.learners import Learners
from tests.support.life.mortal import at_risk
from tests.support.life.school import COUPONS, Faculty
from tests.support.selling import SHOP, start_checkout
from tests.support.world import FORM, World, form

MINUTES_AWAKE = 16 * 60
BUYS, LEARNS, CANCELS, MOVES, REFUNDS = 0.15, 0.03, 0.02, 0.03, 0.001
"""How often a day, for each student."""
AHEAD_DAYS = 14
DAYS_LOOKED_AT = 4
HOLD_MINUTES = 16
DIES = 0.02
SOON = timedelta(hours=30)


@dataclass
class Person:
    """Somebody who has an account, or will have one with their first purchase."""

    email: str
    cookie: str
    user_id: UUID | None = None

    @property
    def buyer(self) -> Buyer:
        return Buyer.student(self.user_id) if self.user_id else Buyer.guest(self.cookie)


class People:
    """Everybody, and what they mean to do later."""

    def __init__(
        self, dice: Random, world: World, faculty: Faculty, students: int, days: int, tally: Counter[str]
    ) -> None:
        self._dice, self._world, self._faculty, self._tally = dice, world, faculty, tally
        self._ahead = min(AHEAD_DAYS, days + 2)
        self._later: list[tuple[datetime, int, Callable[[], None]]] = []
        self._place = count()
        self._learners = Learners(
            dice, world, tally, lambda started, buyer: self._pays_for("training", buyer, started)
        )
        self._everybody = [Person(f"eleve{n}@exemple.ca", uuid4().hex) for n in range(students)]
        for person in self._everybody:
            if dice.random() < 0.75:
                person.user_id = world.school.user(person.email)

    # --- Time passes ------------------------------------------------------------------------------------------

    def act(self, minutes: float) -> None:
        """What so many waking minutes bring."""
        for deed, rate in (
            (self._somebody_buys, BUYS),
            (self._somebody_learns, LEARNS),
            (self._somebody_cancels, CANCELS),
            (self._somebody_moves, MOVES),
            (self._the_office_refunds, REFUNDS),
        ):
            expected = len(self._everybody) * rate * minutes / MINUTES_AWAKE
            for _ in range(int(expected) + (self._dice.random() < expected % 1)):
                self._tries(deed)

    def keep_their_word(self) -> None:
        """What was put off until now is done."""
        while self._later and self._later[0][0] <= self._now:
            self._tries(heappop(self._later)[2])

    def _tries(self, deed: Callable[[], None]) -> None:
        with at_risk(self._dice, DIES) as fate:
            try:
                deed()
            except Refused as refused:
                self._tally[f"refused: {refused.code}"] += 1
        self._tally["request killed"] += fate.struck

    def _puts_off(self, deed: Callable[[], None], minutes: float) -> None:
        heappush(self._later, (self._now + timedelta(minutes=minutes), next(self._place), deed))

    @property
    def _now(self) -> datetime:
        return self._world.clock()

    # --- Buying -----------------------------------------------------------------------------------------------

    def _somebody_buys(self) -> None:
        person = self._dice.choice(self._everybody)
        self._recognise(person)
        self._tidy_up(person)
        wanted = [session for _ in range(self._dice.choice([1, 1, 2])) for session in self._choice()]
        if wanted:
            self._chooses(person, wanted)

    def _somebody_learns(self) -> None:
        person = self._dice.choice(self._everybody)
        self._recognise(person)
        self._learners.buys(person.buyer, person.email)

    def _chooses(self, person: Person, wanted: list[WantedSession]) -> None:
        add_items(database.connection(), person.buyer, lambda: person.buyer, wanted, self._now)
        if self._dice.random() < 0.2:
            apply_coupon(
                database.connection(),
                person.buyer,
                lambda: person.buyer,
                self._dice.choice(COUPONS),
                self._now,
            )
        if self._dice.random() < 0.12:
            self._tally["cart abandoned"] += 1
            return
        self._checks_out(person, wanted)

    def _recognise(self, person: Person) -> None:
        """Who has bought has an account, and comes back signed in."""
        if person.user_id is None:
            rows = self._world.rows("SELECT id FROM users WHERE email = %s", person.email)
            person.user_id = rows[0]["id"] if rows else None

    def _tidy_up(self, person: Person) -> None:
        """What is left in the cart from another day goes out of it."""
        for item in view_cart(database.connection(), person.buyer, self._now).items:
            if item.hold_expired:
                remove_item(database.connection(), person.buyer, item.id, self._now)

    def _choice(self) -> list[WantedSession]:
        """One or two free times of a day, of one length, with anybody or with one tutor; none after a few days full."""
        return next(filter(None, (self._offer() for _ in range(DAYS_LOOKED_AT))), [])

    def _offer(self) -> list[WantedSession]:
        course = self._dice.choice(self._faculty.courses)
        tutor = self._dice.choice(self._faculty.tutors_of[course.id]) if self._dice.random() < 0.4 else None
        minutes, day = self._dice.choice([60, 60, 90, 120]), self._some_day()
        offered = free_slots(database.connection(), course.slug, day, minutes, tutor, self._now)
        starts = [slot.start for slot in offered.slots]
        chosen = self._dice.sample(starts, k=min(len(starts), self._dice.choice([1, 1, 1, 2])))
        return [
            WantedSession(course_id=course.id, start=start, duration_min=minutes, tutor_id=tutor)
            for start in chosen
        ]

    def _some_day(self) -> date:
        return self._now.astimezone(TORONTO).date() + timedelta(days=self._dice.randint(0, self._ahead))

    def _checks_out(self, person: Person, wanted: list[WantedSession]) -> None:
        asked: dict[str, Any] = {"billing": FORM["billing"]} if person.user_id else form(person.email)
        if person.user_id and self._dice.random() < 0.5:
            asked |= {"credits_cad": "all"}
        started = start_checkout(
            database.connection(),
            stripe_payments(),
            person.buyer,
            StartCheckout.model_validate(asked),
            "pk",
            self._now,
        )
        self._tally["checkouts"] += 1
        if started.payment_intent_id is None:
            self._tally["paid without a card"] += 1
        elif self._dice.random() < 0.01:
            self._tally["payment abandoned"] += 1
        elif self._dice.random() < 0.1:
            self._tally["payment put off"] += 1
            self._puts_off(lambda: self._pays(person, started), self._dice.uniform(5, 120))
            if self._dice.random() < 0.5:
                self._puts_off(lambda: self._somebody_wants_the_same(wanted), HOLD_MINUTES)
        else:
            self._pays(person, started)

    def _somebody_wants_the_same(self, wanted: list[WantedSession]) -> None:
        """As soon as the holds have lapsed: who pays later has to be given another tutor, or the money back."""
        person = self._dice.choice(self._everybody)
        self._recognise(person)
        self._chooses(person, wanted)

    def _pays(self, person: Person, started: CheckoutStarted) -> None:
        self._pays_for("tutoring", person.buyer, started)

    def _pays_for(self, product: Product, buyer: Buyer, started: CheckoutStarted) -> None:
        intent_id = str(started.payment_intent_id)
        card = self._dice.choices(
            ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"], [87, 10, 3]
        )[0]
        try:
            self._world.pay(intent_id, card)
        except stripe.CardError:
            self._tally["card declined"] += 1
            if self._dice.random() < 0.95:
                self._world.pay(intent_id, "pm_card_visa")
        except stripe.InvalidRequestError:
            self._tally["paid too late"] += 1
            return
        if card == "pm_card_authenticationRequired":
            passes = self._dice.random() < 0.8
            self._world.stripe.dashboard.authenticate(intent_id, "succeed" if passes else "fail")
        if self._dice.random() < 0.3:
            follow_checkout(
                database.connection(),
                stripe_payments(),
                SHOP,
                product,
                started.checkout_id,
                [buyer],
                started.client_secret,
                self._now,
            )

    def _the_office_refunds(self) -> None:
        """A gesture made in Stripe's dashboard: a part of what a card paid, or what is left of it."""
        orders = self._world.rows(
            "SELECT stripe_payment_intent_id AS intent FROM orders"
            " WHERE source = 'stripe' AND status = 'paid' ORDER BY md5(id::text) LIMIT 1"
        )
        for order in orders:
            with suppress(stripe.StripeError):
                self._world.stripe.dashboard.refund(order["intent"], self._dice.choice([500, 1000, None]))
            self._tally["refunded by the office"] += 1

    # --- Cancelling and moving --------------------------------------------------------------------------------

    def _somebody_cancels(self) -> None:
        if session := self._a_session():
            by = self._somebody_of(session)
            cancel(database.connection(), by, session["id"], None, "dev", self._now)
            self._tally[f"cancelled by {by.actor}"] += 1

    def _somebody_moves(self) -> None:
        if (session := self._a_session()) and (starts := self._times_for(session)):
            by, start = self._somebody_of(session), self._dice.choice(starts)
            reschedule(database.connection(), by, session["id"], start, "Empêchement", "dev", self._now)
            self._tally[f"moved by {by.actor}"] += 1

    def _times_for(self, session: dict[str, Any]) -> list[datetime]:
        """What the student is offered on some day; sometimes any half hour, which may be taken or too soon."""
        day = self._some_day()
        if self._dice.random() < 0.15:
            return [datetime(day.year, day.month, day.day, self._dice.randint(9, 16), 30, tzinfo=TORONTO)]
        offered = list_reschedule_slots(
            database.connection(), session["user_id"], session["id"], day, day, self._now
        )
        return [slot.start for slot in offered.slots]

    def _a_session(self) -> dict[str, Any] | None:
        """Half the time one of the next hours, for which it may be too late."""
        until = self._now + (SOON if self._dice.random() < 0.5 else timedelta(days=60))
        coming = self._world.rows(
            "SELECT id, user_id, tutor_id FROM appointments WHERE status = 'scheduled' AND start_datetime < %s"
            " ORDER BY start_datetime, id",
            until,
        )
        return self._dice.choice(coming) if coming else None

    def _somebody_of(self, session: dict[str, Any]) -> By:
        return self._dice.choices(
            [
                By("student", session["user_id"]),
                By("tutor", session["tutor_id"]),
                By("admin", self._faculty.admin),
            ],
            [6, 2, 1],
        )[0]
