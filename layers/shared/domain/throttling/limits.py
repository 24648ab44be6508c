"""The limits there are. How much each allows is configuration: a setting that bears the limit's name."""

from dataclasses import dataclass
from datetime import timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a period, for each address unless something else is named."""

    name: str
    period: timedelta


SIGN_IN_FAILURES = Limit("SIGN_IN_FAILURES_PER_5_MINUTES", 5 * MINUTE)
"""Wrong passwords of an address, and for an e-mail."""
EMAIL_CHECKS = Limit("EMAIL_CHECKS_PER_MINUTE", MINUTE)
COUPON_REFUSALS = Limit("COUPON_REFUSALS_PER_MINUTE", MINUTE)
AVAILABILITY_READS = Limit("AVAILABILITY_READS_PER_MINUTE", MINUTE)
CHECKOUTS = Limit("CHECKOUTS_PER_MINUTE", MINUTE)
CHECKOUT_READS = Limit("CHECKOUT_READS_PER_MINUTE", MINUTE)
CART_ADDS = Limit("CART_ADDS_PER_HOUR", HOUR)
"""Sessions held: at most this and a quarter of it, a hold's age, can be at one time."""
RESETS_OF_ADDRESS = Limit("PASSWORD_RESETS_PER_HOUR_AND_ADDRESS", HOUR)
RESETS_OF_EMAIL = Limit("PASSWORD_RESETS_PER_HOUR_AND_EMAIL", HOUR)
