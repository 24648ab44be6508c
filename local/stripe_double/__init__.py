"""Stripe, played on this machine: stateful, strict, and as unreliable as a test asks.

It answers the part of Stripe's API that a card payment needs, in the version of the installed stripe-python,
and tells what happens by signed webhooks. What Stripe would refuse is refused; what is not imitated says so.
"""

from local.stripe_double.double import StripeDouble, create_app

__all__ = ["StripeDouble", "create_app"]
