"""Countries as people call them, by their ISO 3166 codes."""

from __future__ import annotations

from collections.abc import Iterable

from babel import Locale

MOST = 12
"""Countries of a list that are named one by one."""


def name(code: str) -> str:
    """``Germany`` for DE; a code that is unknown stays as it is."""
    return str(Locale("en").territories.get(code.upper(), code.upper()))


def listed(codes: Iterable[str]) -> str:
    """An operator's list in a sentence: ``Austria and Germany``, ``37 countries``; empty: ``every country``."""
    names = sorted(name(code) for code in codes)
    if len(names) > MOST:
        return f"{len(names)} countries"
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return names[0] if names else "every country"
