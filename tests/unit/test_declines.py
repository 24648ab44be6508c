"""What a buyer reads of a failed payment: each reason, which of two wins, and never a word of English."""

import pytest

from domain.payments.declines import MESSAGES, OF_TYPES, OTHERWISE, declined_message

REFUSED = "Votre carte a été refusée. Veuillez essayer une autre carte."
SECURITY_CODE = "Le code de sécurité de votre carte est incorrect."
LIMIT = "La limite de votre carte est atteinte. Veuillez utiliser une autre carte."
NOT_FOR_THIS = "Cette carte n'accepte pas ce type d'achat."

EXPECTED = {
    "card_declined": REFUSED,
    "generic_decline": REFUSED,
    "do_not_honor": REFUSED,
    "lost_card": REFUSED,
    "stolen_card": REFUSED,
    "pickup_card": REFUSED,
    "fraudulent": REFUSED,
    "insufficient_funds": "Fonds insuffisants. Veuillez utiliser une autre carte.",
    "expired_card": "Votre carte a expiré. Veuillez utiliser une autre carte.",
    "incorrect_cvc": SECURITY_CODE,
    "invalid_cvc": SECURITY_CODE,
    "processing_error": "Une erreur s'est produite lors du traitement de votre carte. Veuillez réessayer.",
    "incorrect_number": "Le numéro de carte est invalide.",
    "invalid_number": "Le numéro de carte est invalide.",
    "invalid_expiry_month": "La date d'expiration est invalide.",
    "invalid_expiry_year": "La date d'expiration est invalide.",
    "authentication_required": "Votre banque exige une authentification. Veuillez réessayer.",
    "payment_intent_authentication_failure": (
        "L'authentification 3D Secure a échoué. Veuillez réessayer ou utiliser une autre carte."
    ),
    "card_velocity_exceeded": LIMIT,
    "withdrawal_count_limit_exceeded": LIMIT,
    "currency_not_supported": NOT_FOR_THIS,
    "card_not_supported": NOT_FOR_THIS,
    "try_again_later": "Veuillez réessayer dans quelques instants.",
}
INVALID = "Les informations de paiement sont invalides. Veuillez vérifier et réessayer."


def test_the_table_is_the_specification_s_and_no_more() -> None:
    assert MESSAGES == EXPECTED


@pytest.mark.parametrize(("reason", "message"), EXPECTED.items())
def test_a_reason_is_read_wherever_stripe_puts_it(reason: str, message: str) -> None:
    assert declined_message(reason, None, "card_error") == message
    assert declined_message("card_declined", reason, "card_error") == message


@pytest.mark.parametrize(
    ("code", "decline_code", "message"),
    [
        ("card_declined", "insufficient_funds", EXPECTED["insufficient_funds"]),
        ("card_declined", "call_issuer", REFUSED),  # a reason that the table has not: the code's word
        ("incorrect_cvc", "call_issuer", SECURITY_CODE),
        ("expired_card", "lost_card", REFUSED),
        ("a_code_of_tomorrow", "stolen_card", REFUSED),
    ],
)
def test_the_bank_s_reason_goes_before_the_code(code: str, decline_code: str, message: str) -> None:
    assert declined_message(code, decline_code, "card_error") == message


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("validation_error", INVALID),
        ("card_error", "Erreur de paiement. Veuillez réessayer."),
        ("api_error", "Une erreur est survenue. Veuillez réessayer."),
        ("", "Une erreur est survenue. Veuillez réessayer."),
        (None, "Une erreur est survenue. Veuillez réessayer."),
    ],
)
@pytest.mark.parametrize("code", [None, "", "Your card was declined."])
@pytest.mark.parametrize("decline_code", [None, "", "a_reason_of_tomorrow"])
def test_what_is_not_known_is_told_by_its_type_and_in_french(
    kind: str | None, message: str, code: str | None, decline_code: str | None
) -> None:
    assert declined_message(code, decline_code, kind) == message


def test_who_holds_a_stolen_card_is_not_told_that_it_is_known() -> None:
    said = {
        declined_message("card_declined", one, "card_error")
        for one in ("stolen_card", "fraudulent", "lost_card")
    }

    assert said == {declined_message("card_declined", "generic_decline", "card_error")}


def test_every_sentence_ends_as_one_and_is_not_english() -> None:
    for sentence in {*MESSAGES.values(), *OF_TYPES.values(), OTHERWISE}:
        assert sentence.endswith(".")
        assert not {"your", "card", "please", "payment"} & set(sentence.lower().replace(".", "").split())
