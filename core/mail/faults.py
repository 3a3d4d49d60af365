"""How a bug is named in the database and the log: by its type and place, never by what it was about.

An exception's text may quote a message, a name or a secret; its type and the lines it came through do not.
"""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def place_of(error: BaseException) -> str:
    """``TypeError at connectors/github.py:57``: the innermost line of ours, else the innermost line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _ours(frame.filename)]
    if not frames:
        return type(error).__name__
    frame = (own or frames)[-1]
    return f"{type(error).__name__} at {_short(frame.filename)}:{frame.lineno}"


def hash_of(error: BaseException) -> str:
    """Sixteen hex digits that are equal for the same bug: of the type and of every line it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [type(error).__qualname__, *(f"{_short(frame.filename)}:{frame.lineno}" for frame in frames)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if _ours(filename) else path.name
