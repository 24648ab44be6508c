"""Why a coupon cannot be used, in the words of the product it is of."""

from collections.abc import Mapping
from typing import Literal

from domain.errors import Refused
from domain.product import Product

type Reason = Literal["unknown", "ended", "inactive", "not_yet", "used_up", "used_by_person", "not_for_these"]

WORDING: Mapping[Product, Mapping[Reason, str]] = {
    "tutoring": {
        "unknown": "Code promo invalide",
        "ended": "Ce code promo est expiré",
        "inactive": "Ce code promo est inactif",
        "not_yet": "Ce code promo n'est pas encore valide",
        "used_up": "Ce code promo a atteint sa limite d'utilisation",
        "used_by_person": "Vous avez déjà utilisé ce code promo",
        "not_for_these": "Ce code promo ne s'applique pas à votre panier",
    },
    "training": {
        "unknown": "Code de coupon invalide",
        "ended": "Ce coupon a expiré",
        "inactive": "Ce coupon n'est plus actif",
        "not_yet": "Ce coupon n'est pas encore valide",
        "used_up": "Ce coupon a atteint sa limite d'utilisation",
        "used_by_person": "Vous avez déjà utilisé ce coupon",
        "not_for_these": "Ce coupon n'est pas applicable à ce cours",
    },
}


def coupon_invalid(product: Product, reason: Reason) -> Refused:
    """The refusal of a coupon of that product."""
    return Refused("COUPON_INVALID", WORDING[product][reason])
