"""What an operator reads when something is set up wrongly: one line that names the remedy, exit status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Misconfigured(Exception):
    """The hub cannot run as it is set up; the message is one line and names the remedy."""


class Impossible(Exception):
    """What was asked for cannot be done as things stand; the message says why and what to do instead."""


def closest(word: str, known: Iterable[str]) -> str:
    """``did you mean port?`` where a known word is near, else ``known: host, port``."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(known)}" if known else "there are none"


def one_line(text: str) -> str:
    """A text without its line breaks, so that a complaint stays one line in any log."""
    return " ".join(text.split())
