"""`python -m tests.faults.stack`: what `make run` starts, and two things are otherwise.

FAULTS_DATABASE is the parameter `Database` of the template: `existing`, or `aurora` as if behind RDS Proxy.
FAULTS_POST is where the Stripe double posts its messages, with more patience than Stripe has: it is judged there.
"""

import os
import sys
from typing import Any

from local.__main__ import main
from local.configuration import PARAMETERS
from local.stripe_double import StripeDouble, webhooks

start = StripeDouble.__init__


def start_with_post(double: StripeDouble, **options: Any) -> None:
    start(double, **options | {"webhook_url": os.environ["FAULTS_POST"]})


PARAMETERS["Database"] = os.environ["FAULTS_DATABASE"]
StripeDouble.__init__ = start_with_post  # type: ignore[assignment, method-assign]
webhooks._PATIENCE = 60.0
sys.exit(main())
