"""What only sounds like a command: questions, "do not ...", "cancel my ...", codes with wrong letters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bot.hearing import said
from bot.hearing.filler import LEADING
from bot.hearing.spelling import is_url
from bot.hearing.vocabulary import NAMES, WORDS

_MARK = re.compile(r"[?\uff1f\u061f\u203d][^\w\s]*(?=\s|$)|\u00bf")
_QUESTION = {
    *("what", "whats", "what's", "how", "how's", "why", "when", "where", "who", "which"),
    *("is", "are", "am", "does", "should"),
}
_NOT = {"don't", "dont", "not", "never", "won't", "wont"}
_CANCELLING = {"cancel", "end", "terminate"}
_ENDS: Mapping[str, str] = {
    "budget": "budget 0",
    "pledge": "budget 0",
    "subscription": "subscriptions",
    "subscriptions": "subscriptions",
    "payment": "skip",
    "payments": "skip",
    "month": "skip",
    "pause": "resume",
    "skip": "unskip",
    "decline": "decline undo",
    "card": "card remove",
    "cap": "cap off",
    "caps": "cap off",
    "cover": "cover off",
    "account": "stop",
    "membership": "stop",
    "everything": "stop",
}
_OPPOSITE: Mapping[str, str] = {"pause": "resume", "skip": "unskip", "cover": "cover off", "claim": "decline"}
TOPIC: Mapping[type, str] = {
    said.Link: "link",
    said.Code: "link",
    said.Yes: "yes",
    said.No: "no",
    said.Unlink: "unlink",
    said.SetBudget: "budget",
    said.ChooseCard: "card",
    said.RemoveCard: "card",
    said.Remove: "remove",
    said.Skip: "skip",
    said.Unskip: "unskip",
    said.Flattr: "flattr",
    said.Subscribe: "subscribe",
    said.Unsubscribe: "unsubscribe",
    said.Pause: "pause",
    said.Resume: "resume",
    said.Ignore: "ignore",
    said.Unignore: "unignore",
    said.SetCap: "cap",
    said.Cover: "cover",
    said.Claim: "claim",
    said.Payouts: "payouts",
    said.Decline: "decline",
    said.TakeBack: "decline",
    said.Stop: "stop",
    said.Export: "export",
}
"""Under which word the help tells of what changes something."""


def marked(line: str) -> bool:
    """Whether a question mark ends a word of a cleaned line; one inside an address is none."""
    return _MARK.search(line) is not None


def worded(first: str) -> bool:
    """Whether a sentence that begins so is a question even without its mark."""
    return first.casefold() in _QUESTION


def explained(command: said.Changing, send: str) -> said.Command:
    """What is answered to a question instead of doing it; ``send`` is what would do it, '' if that is unclear."""
    match command:
        case said.Stop():
            return said.Stop()  # tells what leaving does, and asks
        case said.Decline():
            return said.Decline()
    return said.Help(TOPIC[type(command)], send)


def cancelled(words: list[str]) -> said.Unknown | None:
    """ "cancel my budget": which command ends that."""
    if words[0].casefold() not in _CANCELLING:
        return None
    ends = dict.fromkeys(_ENDS[word.casefold()] for word in words[1:] if word.casefold() in _ENDS)
    return said.Unknown(tuple(ends)[:3]) if ends else None


def denied(words: list[str]) -> said.Misread | None:
    """ "please do not pause": nothing is done, and how a thing done before is undone."""
    rest = iter(word.casefold() for word in words)
    if next((word for word in rest if word not in LEADING), None) not in _NOT:
        return None
    name = NAMES.get(next((word for word in rest if word not in LEADING), ""), "")
    if name not in WORDS or name in ("yes", "no"):
        return None
    return said.Misread(name, "Then I change nothing.", (_OPPOSITE.get(name, f"help {name}"),))


def wrong_code(words: Iterable[str]) -> said.Misread | None:
    """Two times five letters like a code, of which some are in no code."""
    text = "-".join(words)
    if not re.fullmatch(r"[A-Za-z0-9]{5}-[A-Za-z0-9]{5}", text) or is_url(text):
        return None
    why = f"{text.upper()} is not a code of mine: it has letters or digits that no code has. Please look again."
    return said.Misread("link", why, ("link",))
