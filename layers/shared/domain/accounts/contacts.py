"""How a person is reached: an e-mail is one account however it was typed, a phone number is in E.164."""

import re
from unicodedata import normalize

from domain.errors import Refused

EMAIL_MAX_LENGTH = 254
EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)
"""As it is kept: ASCII, whatever the language of the domain."""
PHONE = re.compile(r"[ (]*\+?[\d ().\u2010-\u2015\u2212/-]+")
E164 = re.compile(r"\+[1-9][0-9]{9,14}")
"""As the database (0001) and Make.com want it."""
HOME = "CA"


def read_email(text: str) -> str:
    """An e-mail as it is kept: lower case, its domain in ASCII. Refuses with EMAIL_INVALID.

    Whether the domain exists is not asked.
    """
    from email_validator import validate_email  # loads what only a form needs

    try:
        typed = validate_email(text.strip(), allow_smtputf8=False, strict=True, check_deliverability=False)
    except ValueError as error:
        raise Refused("EMAIL_INVALID") from error
    email = f"{typed.local_part}@{typed.ascii_domain}".lower()
    if len(email) > EMAIL_MAX_LENGTH or not EMAIL.fullmatch(email):
        raise Refused("EMAIL_INVALID")
    return email


def read_phone(text: str | None, field: str = "account.phone") -> str | None:
    """A phone number that exists, in E.164, or none when empty; without a country's code it is Canadian.

    Refuses with VALIDATION_FAILED, naming the field.
    """
    if text is None or not text.strip():
        return None
    in_full = _in_full(" ".join(normalize("NFKC", text).split()))
    if in_full is None:
        fault = {"field": field, "code": "INVALID", "detail": "Ce numéro de téléphone est invalide."}
        raise Refused("VALIDATION_FAILED", errors=[fault])
    return in_full


def _in_full(text: str) -> str | None:
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

    if not PHONE.fullmatch(text):
        return None  # else letters would be read as the digits that share their key, or as an extension
    try:
        number = parse(text, HOME)
    except NumberParseException:
        return None
    in_full = format_number(number, PhoneNumberFormat.E164)
    return in_full if is_valid_number(number) and E164.fullmatch(in_full) else None
