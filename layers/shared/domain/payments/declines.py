"""What a buyer reads when a payment failed: always French, never the payment service's own words."""

REFUSED = "Votre carte a été refusée. Veuillez essayer une autre carte."
FUNDS = "Fonds insuffisants. Veuillez utiliser une autre carte."
EXPIRED = "Votre carte a expiré. Veuillez utiliser une autre carte."
SECURITY_CODE = "Le code de sécurité de votre carte est incorrect."
PROCESSING = "Une erreur s'est produite lors du traitement de votre carte. Veuillez réessayer."
NUMBER = "Le numéro de carte est invalide."
EXPIRY_DATE = "La date d'expiration est invalide."
AUTHENTICATION_ASKED = "Votre banque exige une authentification. Veuillez réessayer."
AUTHENTICATION_FAILED = (
    "L'authentification 3D Secure a échoué. Veuillez réessayer ou utiliser une autre carte."
)
LIMIT = "La limite de votre carte est atteinte. Veuillez utiliser une autre carte."
NOT_FOR_THIS = "Cette carte n'accepte pas ce type d'achat."
LATER = "Veuillez réessayer dans quelques instants."

MESSAGES = {
    **dict.fromkeys(
        (
            *("card_declined", "generic_decline", "do_not_honor"),
            *("lost_card", "stolen_card", "pickup_card", "fraudulent"),
        ),
        REFUSED,
    ),
    "insufficient_funds": FUNDS,
    "expired_card": EXPIRED,
    **dict.fromkeys(("incorrect_cvc", "invalid_cvc"), SECURITY_CODE),
    "processing_error": PROCESSING,
    **dict.fromkeys(("incorrect_number", "invalid_number"), NUMBER),
    **dict.fromkeys(("invalid_expiry_month", "invalid_expiry_year"), EXPIRY_DATE),
    "authentication_required": AUTHENTICATION_ASKED,
    "payment_intent_authentication_failure": AUTHENTICATION_FAILED,
    **dict.fromkeys(("card_velocity_exceeded", "withdrawal_count_limit_exceeded"), LIMIT),
    **dict.fromkeys(("currency_not_supported", "card_not_supported"), NOT_FOR_THIS),
    "try_again_later": LATER,
}
"""By `decline_code` or `code`. A lost, stolen or fraudulent card is refused like any other."""
OF_TYPES = {
    "validation_error": "Les informations de paiement sont invalides. Veuillez vérifier et réessayer.",
    "card_error": "Erreur de paiement. Veuillez réessayer.",
}
OTHERWISE = "Une erreur est survenue. Veuillez réessayer."


def declined_message(code: str | None, decline_code: str | None, type: str | None) -> str:
    """The sentence for a failed payment (courses.md 3.7).

    `decline_code` is the bank's reason and says more than `code`, the payment service's, which is often no more than
    `card_declined`; `type` is what is left when neither is known. All three as a PaymentIntent's
    `last_payment_error` has them.
    """
    for reason in (decline_code, code):
        if reason in MESSAGES:
            return MESSAGES[reason]
    return OF_TYPES.get(type or "", OTHERWISE)
