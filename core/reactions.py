"""Which reactions are likes: positive emoji by default, a room's own list where its admin set one."""

from __future__ import annotations

from core.events import LIKE

DEFAULT = frozenset(
    [
        "❤",
        "🧡",
        "💛",
        "💚",
        "💙",
        "💜",
        "🩷",
        "🖤",
        "🤍",
        "🤎",
        "♥",
        "💖",
        "💗",
        "💓",
        "💕",
        "💞",
        "😍",
        "🥰",
        "👍",
        "⭐",
        "🌟",
        "🎉",
        "🚀",
        "👏",
        "🙌",
        "🔥",
        "💯",
        "🙏",
        "🏆",
        "flattr",
    ]
)
NEGATIVE = frozenset(["👎", "😠", "😡", "🤬", "💩", "🤮", "🤢", "🖕", "😾", "❌", "🚫", "💔", "🙄"])

_VARIATION = "\N{VARIATION SELECTOR-16}"
_SKIN_TONES = {chr(point) for point in range(0x1F3FB, 0x1F400)}


def plain(reaction: str) -> str:
    """An emoji without its presentation selector and skin tone, so that one gesture is one reaction."""
    return "".join(mark for mark in reaction if mark != _VARIATION and mark not in _SKIN_TONES) or reaction


def counts(reaction: str, chosen: str | None) -> bool:
    """Whether a reaction is a like where a room's admin chose these emoji (None: the default list).

    A negative one never counts, whatever the list says (money.md, "Never counted").
    """
    if reaction == LIKE:
        return True
    mark = plain(reaction)
    if mark in NEGATIVE:
        return False
    return mark in (DEFAULT if chosen is None else {plain(each) for each in chosen.split()})
