"""Types of what arrives from outside: nothing is guessed from a wrong type, text is cleaned once, here."""

from datetime import date, datetime
from typing import Annotated, Any
from unicodedata import normalize
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from domain import text


class RequestBody(BaseModel):
    """What somebody sent: no field is unknown, and no log line or message repeats what it holds."""

    model_config = ConfigDict(extra="forbid")

    def __repr__(self) -> str:
        return type(self).__name__

    __str__ = __repr__


def _must_be_text(value: Any) -> Any:
    if not isinstance(value, str | date | datetime):
        raise ValueError("must be text")
    return value


def _must_be_iso_date(value: Any) -> Any:
    if isinstance(value, str) and not (len(value) == 10 and value[4] == value[7] == "-"):
        raise ValueError("must be YYYY-MM-DD")
    return value


def _must_begin_with_a_date(value: Any) -> Any:
    if isinstance(value, str) and not value[4:5] == value[7:8] == "-":
        raise ValueError("must be YYYY-MM-DDThh:mm:ss and an offset")
    return value


def _must_say_something(value: str) -> str:
    if not text.says_something(value):
        raise ValueError("must contain a letter, a digit or an emoji")
    return value


def _pasted(value: str) -> str:
    return text.one_line(text.without_invisible(value))


def _pasted_id(value: Any) -> Any:
    return text.without_invisible(value) if isinstance(value, str) else value


def _pasted_secret(value: SecretStr) -> SecretStr:
    return SecretStr(text.without_invisible(value.get_secret_value()))


def _must_be_unicode(value: str) -> str:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise ValueError("must not contain half a surrogate pair")  # JSON can spell one, UTF-8 cannot
    return value


def _secret_must_be_unicode(value: SecretStr) -> SecretStr:
    """The secret in NFC: an accented letter is one character whatever keyboard typed it."""
    return SecretStr(normalize("NFC", _must_be_unicode(value.get_secret_value())))


type Instant = Annotated[
    AwareDatetime, BeforeValidator(_must_begin_with_a_date), BeforeValidator(_must_be_text)
]
"""RFC 3339 with an offset; never a number, not even "1800432000", which pydantic would take."""
type Day = Annotated[date, BeforeValidator(_must_be_text), BeforeValidator(_must_be_iso_date)]
"""YYYY-MM-DD."""
type Line = Annotated[str, AfterValidator(text.one_line), Field(max_length=200)]
"""One line of text, cleaned, then at most 200 characters."""
type Filled = Annotated[Line, Field(min_length=1), AfterValidator(_must_say_something)]
"""A line that has to say something: a letter, a digit or an emoji at least."""
type Name = Annotated[Filled, Field(max_length=100)]
"""What a person or a thing is called."""
type Remark = Annotated[str, AfterValidator(text.some_lines), Field(max_length=500)]
"""What a person writes in a box: several lines, cleaned, then at most 500 characters."""
type FilledRemark = Annotated[Remark, Field(min_length=1), AfterValidator(_must_say_something)]
"""A remark that has to say something."""
type Words = Annotated[str, AfterValidator(text.words), Field(max_length=200)]
"""What somebody looks for, cleaned, then at most 200 characters."""
type Code = Annotated[str, AfterValidator(_pasted), Field(max_length=200)]
"""A code, a number or a name that is copied: without what is invisible, then at most 200 characters."""
Id = Annotated[UUID, BeforeValidator(_pasted_id)]
"""An identifier in a body or a query, as it was pasted."""
type Secret = Annotated[SecretStr, AfterValidator(_secret_must_be_unicode)]
"""Text that no message or log repeats."""
type PastedSecret = Annotated[Secret, AfterValidator(_pasted_secret), Field(max_length=200)]
"""A secret that was made here and came by e-mail."""
