"""Why a card was refused, in French (courses 3.7). What the payment service says itself is English, and never shown."""

from collections.abc import Mapping

CARD_REFUSED = "Votre carte a été refusée. Veuillez essayer une autre carte."
LIMIT_REACHED = "La limite de votre carte est atteinte. Veuillez utiliser une autre carte."
NOT_SUPPORTED = "Cette carte n'accepte pas ce type d'achat."
BAD_NUMBER = "Le numéro de carte est invalide."
BAD_EXPIRY = "La date d'expiration est invalide."
TRY_AGAIN = "Une erreur est survenue. Veuillez réessayer."
CARD_ERROR = "Erreur de paiement. Veuillez réessayer."
WRONG_DETAILS = "Les informations de paiement sont invalides. Veuillez vérifier et réessayer."

MESSAGES: Mapping[str, str] = {
    "card_declined": CARD_REFUSED,
    "lost_card": CARD_REFUSED,
    "stolen_card": CARD_REFUSED,
    "fraudulent": CARD_REFUSED,
    "pickup_card": CARD_REFUSED,
    "do_not_honor": CARD_REFUSED,
    "generic_decline": CARD_REFUSED,
    "insufficient_funds": "Fonds insuffisants. Veuillez utiliser une autre carte.",
    "expired_card": "Votre carte a expiré. Veuillez utiliser une autre carte.",
    "incorrect_cvc": "Le code de sécurité de votre carte est incorrect.",
    "invalid_cvc": "Le code de sécurité de votre carte est incorrect.",
    "processing_error": ("Une erreur s'est produite lors du traitement de votre carte. Veuillez réessayer."),
    "incorrect_number": BAD_NUMBER,
    "invalid_number": BAD_NUMBER,
    "invalid_expiry_month": BAD_EXPIRY,
    "invalid_expiry_year": BAD_EXPIRY,
    "authentication_required": "Votre banque exige une authentification. Veuillez réessayer.",
    "payment_intent_authentication_failure": (
        "L'authentification 3D Secure a échoué. Veuillez réessayer ou utiliser une autre carte."
    ),
    "card_velocity_exceeded": LIMIT_REACHED,
    "withdrawal_count_limit_exceeded": LIMIT_REACHED,
    "currency_not_supported": NOT_SUPPORTED,
    "card_not_supported": NOT_SUPPORTED,
    "try_again_later": "Veuillez réessayer dans quelques instants.",
}
"""By Stripe's `decline_code`, and by its `code`."""

BY_TYPE: Mapping[str, str] = {"validation_error": WRONG_DETAILS, "card_error": CARD_ERROR}
"""By the type of an error whose codes say nothing to us."""


def declined_message(code: str | None, decline_code: str | None = None, kind: str | None = None) -> str:
    """The sentence for a refusal. The `decline_code` is the closer reason: insufficient funds come as `card_declined`.

    A decline code that is not known here still says that the card was declined.
    """
    for known in (decline_code, code):
        if known and known in MESSAGES:
            return MESSAGES[known]
    return BY_TYPE.get(kind or "", TRY_AGAIN)
