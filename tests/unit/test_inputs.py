"""What people type is cleaned where it arrives (decision 24)."""

from pydantic import TypeAdapter

from domain.inputs import Secret


def test_a_password_is_the_same_however_its_accents_were_typed() -> None:
    read = TypeAdapter(Secret).validate_python

    assert read("e\u0301tude9").get_secret_value() == "\u00e9tude9"
    assert read("\u00e9tude9").get_secret_value() == "\u00e9tude9"
