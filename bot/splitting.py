"""Cuts a long message into parts that a platform takes, at lines and words where it can."""

from __future__ import annotations


def split(text: str, limit: int) -> list[str]:
    """A text in parts of at most ``limit`` characters: between lines, else between words, else anywhere.

    Nothing is lost but the white space at the cuts. An empty text has no parts.
    """
    parts = []
    rest = text.strip()
    while len(rest) > limit:
        cut = rest.rfind("\n", 0, limit + 1)
        if cut <= 0:
            cut = rest.rfind(" ", 0, limit + 1)
        if cut <= 0:
            cut = limit
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest else parts
