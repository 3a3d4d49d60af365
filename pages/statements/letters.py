"""The letters that Pillow's built-in font has, and how a name is said with them."""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import ImageFont

from core.statements.plain import one_line

_SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"þ": "th", "Þ": "Th", "ð": "d", "\u0131": "i", "\u2013": "-", "—": "-", "\u2018": "'", "\u2019": "'"}
    | {"“": '"', "”": '"'}
)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The built-in font; always laid out the same way, whatever is installed beside it."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow has no FreeType here; install one of Pillow's own wheels")
    return found.font_variant(layout_engine=ImageFont.Layout.BASIC)


@cache
def _missing() -> tuple[tuple[int, int], bytes]:
    mask = font(20).getmask("\U0010ffff")
    return mask.size, bytes(mask)


@cache
def _has(letter: str) -> bool:
    mask = font(20).getmask(letter)
    return letter == " " or (mask.size, bytes(mask)) != _missing()


def spelt(*names: str) -> str:
    """The first of the names that can be drawn, accents left off where the font lacks them; '' if none can."""
    for name in names:
        line = one_line(name)
        for form in (line, _bare(line)):
            if form and all(_has(letter) for letter in form):
                return form
    return ""


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPELT))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def width(text: str, size: int) -> float:
    """How wide the text is drawn, in pixels."""
    return font(size).getlength(text)


def fitted(text: str, size: int, most: float) -> str:
    """The text, cut so that it is drawn within so many pixels."""
    if width(text, size) <= most:
        return text
    while text and width(f"{text}…", size) > most:
        text = text[:-1].rstrip()
    return f"{text}…"
