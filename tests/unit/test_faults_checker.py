"""What `make faults` takes for a fault: planted, each is seen; what is right is not."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import CATALOGUE
from tests.faults import contract
from tests.faults.closing import odd_deliveries
from tests.faults.contract import MOST_SECONDS, NO_ANSWER, PROBLEM, Exchange
from tests.faults.tally import CALM, WARMING_UP, Tally, table, told
from tests.faults.watch import Backend, overdue


def problem(code: str, status: int | None = None, **changes: Any) -> str:
    return json.dumps(
        {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": status or CATALOGUE[code].status,
            "detail": CATALOGUE[code].detail,
            "code": code,
            "instance": "abc",
        }
        | changes
    )


GIVEN_UP = Exchange(
    "client1",
    "POST",
    "/v1/cart/items",
    503,
    {"content-type": PROBLEM, "retry-after": "5"},
    problem("TEMPORARILY_UNAVAILABLE"),
    sent=100.0,
    answered=103.0,
)
REFUSED = replace(GIVEN_UP, status=409, headers={"content-type": PROBLEM}, text=problem("SLOT_UNAVAILABLE"))
ANSWERED = replace(
    GIVEN_UP,
    path="/v1/checkout/email-check",
    status=200,
    headers={"content-type": "application/json"},
    text='{"exists": false}',
)


@pytest.mark.parametrize("exchange", [GIVEN_UP, REFUSED, ANSWERED])
def test_an_answer_of_the_contract_is_no_fault(exchange: Exchange) -> None:
    assert contract.faults(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (
            replace(GIVEN_UP, answered=100.0 + MOST_SECONDS + 0.1),
            "later than 9.5 s, and 0.0 s for the machine",
        ),
        (replace(GIVEN_UP, status=NO_ANSWER, text="no answer: TimeoutError"), "no answer: TimeoutError"),
        (replace(GIVEN_UP, status=502), "a status that is not described"),
        (
            replace(
                GIVEN_UP,
                status=500,
                headers={"content-type": "application/json"},
                text='{"message":"Internal Server Error"}',
            ),
            'application/json instead of application/problem+json: {"message":"Internal Server Error"}',
        ),
        (replace(GIVEN_UP, status=500, text=problem("INTERNAL_ERROR")), "a fault of ours: INTERNAL_ERROR"),
        (replace(GIVEN_UP, headers={"content-type": PROBLEM}), "does not say when to try again"),
        (
            replace(GIVEN_UP, text=problem("TEMPORARILY_UNAVAILABLE", detail="Try again")),
            "the sentence is not the catalogue's: Try again",
        ),
        (
            replace(GIVEN_UP, text=problem("PAYMENT_UNAVAILABLE")),
            "the code PAYMENT_UNAVAILABLE is not described",
        ),
        (replace(REFUSED, text=problem("CART_EMPTY", 409)), "the code CART_EMPTY is not described"),
        (replace(REFUSED, text=problem("SLOT_UNAVAILABLE", 422)), "SLOT_UNAVAILABLE with the status 409"),
        (replace(ANSWERED, text="{}"), 'not as described: : "exists" is a required property'),
        (replace(ANSWERED, text="ok"), "not JSON"),
    ],
)
def test_whatever_else_is_one(exchange: Exchange, said: str) -> None:
    assert contract.faults(exchange) == [f"{exchange}: {said}"]


def test_what_the_machine_takes_for_others_is_not_held_against_an_answer() -> None:
    late = replace(GIVEN_UP, answered=100.0 + MOST_SECONDS + 2)

    assert contract.faults(late, slack=2.0) == []
    assert contract.faults(late, slack=1.9) != []


def test_a_backend_that_is_older_than_its_role_allows_is_seen() -> None:
    young = Backend(1, "booking_web", "active", 8.0, "SELECT 1")
    old = replace(young, pid=2, seconds=9.6, state="idle in transaction")
    job = replace(old, role="booking_jobs")

    assert overdue([young, old, job]) == [
        "a idle in transaction backend of booking_web is 9.6 s old: SELECT 1"
    ]


def test_a_message_of_stripe_s_that_was_answered_otherwise_or_never_acknowledged_is_seen() -> None:
    fine = {"type": "charge.updated", "event": "evt_1", "status": "delivered", "attempts": [503, 200]}
    state = {
        "deliveries": [
            fine,
            fine | {"event": "evt_2", "attempts": [500, 200]},
            fine | {"event": "evt_3", "status": "pending", "attempts": [503]},
        ]
    }

    assert list(odd_deliveries(state)) == [
        "Stripe was answered 500 to charge.updated",
        "Stripe's charge.updated evt_3 is pending after [503]",
    ]


def test_the_tally_counts_for_the_fault_that_struck_and_judges_nothing_while_it_warms_up() -> None:
    tally = Tally()
    bad = replace(GIVEN_UP, status=500, text=problem("INTERNAL_ERROR"))
    tally.answered(WARMING_UP, bad, 0.0)
    assert tally.violations == []
    tally.strikes("a table locked")

    tally.answered("a table locked", GIVEN_UP, 0.0)
    tally.given_up("a table locked", done=True, late=False)
    tally.answered(CALM, REFUSED, 0.0)
    tally.answered("a table locked", bad, 0.0)
    tally.back_after(0.3)

    assert table(tally).splitlines()[3:] == [
        "| a table locked | 1 | 2 | 0 | 1 | 1 | 1 INTERNAL_ERROR | 3.0 s | 0 | 0.3 s |",
        "| nothing, for comparison |  | 1 | 0 | 0 | 0 | 1 SLOT_UNAVAILABLE | 3.0 s | 0 |  |",
    ]
    assert list(told(tally)) == [
        f"VIOLATION [a table locked] {bad}: a fault of ours: INTERNAL_ERROR",
        "violations: 1",
    ]
