"""Cleaning what people type or paste (decision 24). Characters are named by Unicode's own categories."""

import re
from unicodedata import category, normalize


def _characters(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


LINE_BREAKS = "\n\v\f\r\x85\u2028\u2029"
WHITE_SPACE = f"\t {LINE_BREAKS}\xa0\u1680{_characters((0x2000, 0x200A))}\u202f\u205f\u3000"
"""What Unicode calls White_Space."""
FORMAT_CHARACTERS = _characters(
    (0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891),
    (0x8E2, 0x8E2), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064),
    (0x2066, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD),
    (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F),
)  # fmt: skip
"""Category Cf: they have no width, or none of their own."""
JOINERS = "\u200c\u200d"
"""They shape letters and emoji: some names are misspelt without them."""

_BLANK = WHITE_SPACE + FORMAT_CHARACTERS
_REFUSED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, what turns the direction of writing around, and halves of surrogate pairs, which JSON can spell."""
_BREAKS_TO_NEWLINE = str.maketrans(dict.fromkeys(LINE_BREAKS, "\n"))
_NO_FORMAT = str.maketrans(dict.fromkeys(set(FORMAT_CHARACTERS) - set(JOINERS)))
_NOTHING_INVISIBLE = str.maketrans(dict.fromkeys(FORMAT_CHARACTERS + "\xa0\u2007\u202f"))
_SPACES = str.maketrans(dict.fromkeys("\t\n", " "))
_INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"
_EMOJI = re.compile("[\u203c\u2049\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")


def one_line(text: str) -> str:
    """Text of one line: composed, trimmed, each tab or line break a space, nothing invisible in it but joiners.

    Raises ValueError for controls, directional overrides and isolates, and half a surrogate pair.
    """
    line = _with_newlines(text).translate(_SPACES).translate(_NO_FORMAT)
    return normalize("NFC", line).strip(_BLANK)


def some_lines(text: str) -> str:
    """The same of a message: line breaks stay, as \\n, and what is invisible inside stays as it was typed."""
    return normalize("NFC", _with_newlines(text).replace("\t", " ")).strip(_BLANK)


def words(text: str) -> str:
    """What somebody looks for: one space between words, nothing invisible in them but joiners. Raises ValueError."""
    return " ".join(one_line(text.translate(_NO_FORMAT)).split())


def without_invisible(text: str) -> str:
    """A code, an id or an address: trimmed, without the invisible characters and no-break spaces of a paste."""
    return text.translate(_NOTHING_INVISIBLE).strip(WHITE_SPACE)


def says_something(text: str) -> bool:
    """Whether at least one letter, digit or emoji is there to be seen."""
    return _EMOJI.search(text) is not None or any(
        category(character)[0] in "LN" and character not in _INVISIBLE_LETTERS for character in text
    )


def _with_newlines(text: str) -> str:
    if _REFUSED.search(text):
        raise ValueError("must not contain control characters")
    return text.replace("\r\n", "\n").translate(_BREAKS_TO_NEWLINE)
