"""Cleaning what people type (decision 24)."""

import sys
from unicodedata import category, is_normalized

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import (
    FORMAT_CHARACTERS,
    LINE_BREAKS,
    WHITE_SPACE,
    one_line,
    says_something,
    some_lines,
    without_invisible,
    words,
)

BLANK = WHITE_SPACE + FORMAT_CHARACTERS
TURNS_WRITING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = "".join(chr(code) for code in (*range(9), *range(14, 32), *range(127, 133), *range(134, 160)))
AWKWARD = st.text(st.sampled_from("aé\u0301 \t\r\n\x85\xa0\u200b\u200d\u2028\ufeffא👩"))


def test_white_space_and_format_characters_are_unicode_s() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert set(FORMAT_CHARACTERS) == {one for one in every if category(one) == "Cf"}
    assert set(WHITE_SPACE) - set("\t\n\v\f\r\x85") == {one for one in every if category(one)[0] == "Z"}


@pytest.mark.parametrize("clean", [one_line, some_lines])
def test_everything_blank_goes_off_both_ends(clean: type[str]) -> None:
    for blank in set(BLANK) - set(TURNS_WRITING):
        assert clean(f"{blank} {blank}Zoé Roy{blank} {blank}") == "Zoé Roy", hex(ord(blank))
        assert clean(blank) == ""


@pytest.mark.parametrize("clean", [one_line, some_lines])
def test_accents_are_composed(clean: type[str]) -> None:
    assert clean("Zoe\u0301") == clean("Zoe\u200b\u0301".replace("\u200b", "")) == "Zo\u00e9"


@pytest.mark.parametrize("clean", [one_line, some_lines])
@pytest.mark.parametrize("place", ["{}Zoé", "Zo{}é", "Zoé{}"])
def test_what_turns_writing_around_and_controls_are_refused(clean: type[str], place: str) -> None:
    for refused in (*TURNS_WRITING, *CONTROLS, "\ud800", "\udfff"):
        with pytest.raises(ValueError, match="control"):
            clean(place.format(refused))


@pytest.mark.parametrize("gap", ["\t", *LINE_BREAKS, "\r\n"])
def test_in_a_line_a_tab_or_a_line_break_is_a_space(gap: str) -> None:
    assert one_line(f"Zoé{gap}Roy") == "Zoé Roy"


@pytest.mark.parametrize("gap", [*LINE_BREAKS, "\r\n"])
def test_a_message_keeps_its_line_breaks(gap: str) -> None:
    assert some_lines(f"Bonjour,{gap}{gap}malade.{gap}") == "Bonjour,\n\nmalade."
    assert some_lines("a\tb") == "a b"


def test_joiners_inside_a_line_stay_and_nothing_else_that_is_invisible() -> None:
    family = "\U0001f469\u200d\U0001f467"
    assert one_line(f"\u200d{family} \u0646\u0627\u0645\u200c\u0647\u200c") == (
        f"{family} \u0646\u0627\u0645\u200c\u0647"
    )
    assert one_line("Zo\u200b\u00ad\ufeff\u2060é") == "Zoé"
    assert one_line("Zoe\u200b\u0301") == "Zo\u00e9"


@pytest.mark.parametrize("text", ["é", "7", "٣", "王", "👩\u200d👧", "🏻", "❤\ufe0f", "⭐", "- a -", "½"])
def test_a_letter_a_digit_or_an_emoji_says_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize(
    "text", ["", "-", "'", "...", "\u0301", "\u200d", "\u3164", "\u115f\u1160", "\u2800"]
)
def test_signs_marks_and_invisible_letters_say_nothing(text: str) -> None:
    assert not says_something(text)


@pytest.mark.parametrize("invisible", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202a\u202c\xa0\u202f\u2007")
def test_what_is_pasted_into_a_code_or_an_id_is_taken_out(invisible: str) -> None:
    assert without_invisible(f" {invisible}SA{invisible}VE10 {invisible}\t") == "SAVE10"


def test_what_is_looked_for_has_one_space_between_words() -> None:
    assert words(" \u202aalge\u0300bre\u202c\u00a0 \u3000\tet\u200b  analyse\r\n") == "algèbre et analyse"
    with pytest.raises(ValueError, match="control"):
        words("alg\x00bre")


def test_a_space_that_somebody_typed_inside_a_code_stays() -> None:
    assert without_invisible("SAVE 10") == "SAVE 10"


@given(AWKWARD)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    for clean in (one_line, some_lines):
        cleaned = clean(text)
        assert clean(cleaned) == cleaned
        assert is_normalized("NFC", cleaned)
        assert cleaned == cleaned.strip(BLANK)
