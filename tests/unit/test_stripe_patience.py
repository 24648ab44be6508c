"""Stripe may be silent; a buyer is answered all the same."""

from pathlib import Path

import stripe

from adapters.stripe_payments import NETWORK_RETRIES, TIMEOUT_SECONDS
from local import template

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
CALLS_OF_ONE_CHECKOUT = 2  # an old intent is withdrawn, a new one made
EVERYTHING_ELSE_SECONDS = 2


def test_two_calls_that_time_out_end_before_the_functions_time_is_up() -> None:
    pauses = [stripe.HTTPClient.INITIAL_DELAY * 2**retry for retry in range(NETWORK_RETRIES)]
    one_call = (1 + NETWORK_RETRIES) * TIMEOUT_SECONDS + sum(pauses)

    functions = {function.name: function for function in template.load(TEMPLATE).functions}
    for name in ("checkout", "stripe_webhook"):
        needed = CALLS_OF_ONE_CHECKOUT * one_call + EVERYTHING_ELSE_SECONDS
        assert needed <= functions[name].timeout_seconds
