"""The letters of a receipt: Noto Sans, embedded in the file, so that every reader shows the same.

It has Latin with every accent, Greek and Cyrillic. Letters it lacks are written in Latin ones.
"""

import io
import unicodedata

from anyascii import anyascii
from pymupdf_fonts import NotoSans_Bold, NotoSans_Regular
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "NotoSans", "NotoSans-Bold"


def _embed(name: str, font: bytes) -> TTFont:
    face = TTFont(name, io.BytesIO(font))
    pdfmetrics.registerFont(face)
    return face


_REGULAR = _embed(REGULAR, NotoSans_Regular.fontbuffer)
_BOLD = _embed(BOLD, NotoSans_Bold.fontbuffer)
_KNOWN = _REGULAR.face.charToGlyph.keys() & _BOLD.face.charToGlyph.keys()


def printable(text: str) -> str:
    """The text in letters the fonts have. A stranger loses its accent, else is romanized; a picture is left out."""
    composed = unicodedata.normalize("NFC", text)  # else an accent on its own would stand beside its letter
    return "".join(_printable(letter) for letter in composed).strip()


def _printable(letter: str) -> str:
    if ord(letter) in _KNOWN:
        return letter
    if plain := "".join(part for part in unicodedata.normalize("NFKD", letter) if ord(part) in _KNOWN):
        return plain
    kind = unicodedata.category(letter)
    return anyascii(letter) if kind[0] in "LNP" or kind in ("Sm", "Sc") else ""
