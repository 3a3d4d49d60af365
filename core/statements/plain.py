"""What others wrote, made harmless: one line, and nothing in it that a terminal, a page or a spreadsheet obeys."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows: with them a title can make an amount read backwards."""

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet reckon instead of show, full-width forms included:
https://owasp.org/www-community/attacks/CSV_Injection"""


def one_line(text: str) -> str:
    """The text on one line, without control characters and marks of direction."""
    kept = (" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text if each not in _BIDI)
    clean = "".join(each for each in kept if unicodedata.category(each) != "Cs")
    return " ".join(clean.split())


def cell(text: str) -> str:
    """The text as a spreadsheet may have it: what would be a formula begins with an apostrophe."""
    line = one_line(text)
    shown = "".join(each for each in line if unicodedata.category(each) != "Cf").lstrip()
    return f"'{line}" if shown.startswith(_FORMULA) else line


def is_web(url: str) -> bool:
    """Whether an address may be a link: a browser runs what others begin with."""
    return url.lower().startswith(("https://", "http://"))
