"""What a buyer asks to pay with, whatever they buy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.accounts.accounts import NewAccount
from domain.checkout.quote import WantedCredits


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """`account` is what a guest's payment will open, None of a student; `password` is as they typed it.

    `billing` is None where no address is asked for.
    """

    account: NewAccount | None
    password: str | None = field(default=None, repr=False)
    billing: Mapping[str, str] | None = None
    credits_cad: WantedCredits = None
