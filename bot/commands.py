"""Understands one message: text in, one command out, whatever was typed; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bot.hearing import arguments, questions, said
from bot.hearing.arguments import Said
from bot.hearing.filler import DENYING, LEADING, POLITE, SMALL_TALK
from bot.hearing.spelling import clean, is_url, nearest, nearest_only, words_of
from bot.hearing.vocabulary import NAMES, WORDS
from bot.hearing.when import month_in
from core.people.linking import looks_like_code

_MONEY = {"out", "account", "bank", "details", "money", "earnings", "settings", "setup", "payout", "payouts"}
"""What may follow "payouts", "pay me" or "bank"."""
_CARD: Mapping[str, Said] = {
    **dict.fromkeys(("delete", "forget", "remove"), said.RemoveCard()),
    **dict.fromkeys(("add", "another", "change", "enter", "new", "replace", "update"), said.ShowCard()),
}
"""What "remove my card" and "change my card" mean."""
_ABOUT = {"about", "with", "on", "command", "everything", "needed", "there", "here", "how", "what"}
_PHRASES: Mapping[tuple[str, str], str] = {
    ("thank", "you"): "thanks",
    ("good", "morning"): "hello",
    ("good", "day"): "hello",
    ("good", "evening"): "hello",
    ("who", "are"): "hello",
    ("delete", "me"): "stop",
    ("forget", "me"): "stop",
    ("opt", "out"): "decline",
    ("undo", "skip"): "unskip",
    ("undo", "decline"): "undecline",
    ("pay", "me"): "payouts",
    ("pay", "out"): "payouts",
    ("cash", "out"): "payouts",
    ("credit", "card"): "card",
}


def parse(text: str) -> said.Command:
    """The command that a message means; never raises.

    Slips in a command's name are forgiven: one that only reads comes back as `Guess`, one that changes
    something as `Unknown` with what should be sent instead. A question is answered and changes nothing.
    """
    line = clean(text)
    words = words_of(line)
    if not words:
        return said.Help() if "?" in line else said.Hello()
    question = questions.marked(line)
    command = _understand(words, question=question)
    if not question or not isinstance(command, said.Changing):
        return command
    send = " ".join(words)
    asks = questions.marked(clean(send))  # a mark inside a word stays there
    return questions.explained(command, send if not asks and parse(send) == command else "")


def _understand(words: list[str], *, question: bool) -> said.Command:
    if len(words) == 1 and is_url(words[0]):
        return said.Flattr(words[0], bare=True)
    words = _unglued(words)
    first, rest = words[0].casefold(), words[1:]
    if rest and (phrase := _PHRASES.get((first, rest[0].casefold()))):
        return _named(phrase, rest[1:])
    if first in _CARD and any(word.casefold() in ("card", "cards") for word in rest):
        return _CARD[first]
    if first == "delete":
        return _delete(rest)
    if (other := questions.cancelled(words) or questions.denied(words)) is not None:
        return other
    if first in NAMES:
        return _known(first, rest, question=question)
    if looks_like_code(code := _joined(words)):
        return said.Code(code)
    if len(words) == 1 and (wrong := questions.wrong_code(words)) is not None:
        return wrong
    if re.match(r"\W?\d", first) and (amount := arguments.amount_of(words)) and len(words) <= 3:
        also = (f"remove {amount[0]}",) if amount[0].isdecimal() else ()
        return said.Unknown((f"budget {amount[0]}", *also)) if amount[0] != "0" else said.Unknown()
    if (found := _within(words, question=question)) is not None:
        return found
    if url := next((word for word in words if is_url(word)), None):
        return said.Unknown((f"flattr {url}",))
    while words and words[0].casefold() in LEADING:
        words = words[1:]
    return _nearly(words[0].casefold(), words[1:]) if words else said.Unknown()


def _unglued(words: list[str]) -> list[str]:
    """Takes "/budget@hub", "budget:35" and "remove#3" apart, where they begin with a command's name."""
    if is_url(words[0]):
        return words
    first = words[0].lstrip("/!.\\-+$&>") or words[0]
    if words[0].startswith("/"):
        first = first.split("@")[0] or first
    match = re.fullmatch(r"([^\W\d_]+)([:=#€$£¥/-]*)(\S+)", first)
    # "budget35" and "budget:35", but neither "listen" nor "me2"
    if match and match[1].casefold() in WORDS and (match[2] or match[3][0].isdigit()):
        return [match[1], match[2].strip(":=#/-") + match[3].strip(":=#"), *words[1:]]
    return [first, *words[1:]]


def _joined(words: list[str]) -> str:
    return "".join(words).replace("-", "").upper()


def _known(first: str, rest: list[str], *, question: bool) -> said.Command:
    name = NAMES[first]
    flattr = first == "flattr" and not any(is_url(word) for word in rest)
    if rest and (name in SMALL_TALK.values() or flattr):
        inner = _understand(rest, question=question)  # "hey, status" and "flattr status"
        if not isinstance(inner, said.Unknown) and (flattr or not isinstance(inner, said.Guess)):
            return inner
    return _named(first, rest)


def _delete(rest: list[str]) -> said.Command:
    if any(is_url(word) or word.strip("#")[:1].isdigit() for word in rest):
        return arguments.remove(rest)
    if {word.casefold() for word in rest} & {"account", "everything", "data", "profile"}:
        return arguments.stop([])
    return said.Unknown(("remove 3", "stop"))


def _within(words: list[str], *, question: bool) -> said.Command | None:
    """The command inside a sentence such as "show me my budget"; a question never changes anything."""
    asked = question or questions.worded(words[0])
    for place, word in enumerate(words):
        low = word.casefold()
        pair = (low, words[place + 1].casefold()) if place + 1 < len(words) else (low, "")
        if (phrase := _PHRASES.get(pair)) == "payouts" and not asked:
            return _named(phrase, words[place + 2 :])
        if low in NAMES and low not in LEADING and NAMES[low] in WORDS and NAMES[low] not in ("yes", "no"):
            command = _named(low, words[place + 1 :])
            if asked and not isinstance(command, said.Reading):
                return said.Help(NAMES[low])
            return said.Help(NAMES[low]) if asked and isinstance(command, said.Misread) else command
        if low not in LEADING and not asked:
            return None
    return None


def _nearly(first: str, rest: list[str]) -> said.Command:
    if is_url(first) or len(first) > 20:
        return said.Unknown()
    found = nearest(first, NAMES)
    best: dict[str, None] = {}
    for off, word in found:
        if off == found[0][0]:
            best.setdefault(NAMES[word])
    names = [name for name in best if name in WORDS] or list(best)
    if len(names) != 1:  # only what makes sense with what follows it
        names = [name for name in names if not rest or _takes(name, rest)]
        return said.Unknown(tuple(" ".join((name, *rest)) for name in names[:3]))
    meant = [" ".join((names[0], *rest))]
    command = _named(names[0], rest)
    match command:
        case said.Hello() | said.Thanks() | said.Misread() | said.Unknown():
            return command
        case said.Guess() | said.Code():
            return said.Unknown((meant[0],))
    if isinstance(command, said.Reading):
        return said.Guess(first, meant[0], command)
    return said.Unknown((meant[0],))


def _takes(name: str, rest: list[str]) -> bool:
    return name not in _ALONE and not isinstance(_named(name, rest), said.Misread | said.Unknown)


_READERS: Mapping[str, Callable[[list[str]], Said]] = {
    "budget": arguments.budget,
    "card": arguments.card,
    "list": arguments.listing,
    "remove": arguments.remove,
    "statement": arguments.statement,
    "flattr": arguments.flattr,
    "subscribe": arguments.subscribe,
    "cap": arguments.cap,
    "cover": arguments.cover,
    "decline": arguments.decline,
    "stop": arguments.stop,
}
_ALONE: Mapping[str, Said] = {
    "accounts": said.Accounts(),
    "subscriptions": said.Subscriptions(),
    "earnings": said.ShowEarnings(),
    "hello": said.Hello(),
    "thanks": said.Thanks(),
}


def _named(word: str, rest: list[str]) -> said.Command:
    """The command that a known word begins, with what follows it."""
    name = NAMES[word]
    while rest and rest[-1].casefold() in ("please", "pls", "plz", "thanks", "thx", "bitte"):
        rest = rest[:-1]
    if reader := _READERS.get(name):
        return arguments.decline(["undo"]) if word == "undecline" else reader(rest)
    if alone := _ALONE.get(name):
        return alone
    match name:
        case "help":
            return _help(rest)
        case "status":
            month = month_in(rest) if rest else None
            return said.List(month) if month and (month.number or month.back) else said.Status()
        case "ignore" | "unignore" | "unsubscribe":
            return said.ShowIgnored() if word == "ignored" else arguments.creator(name, rest)
        case "link":
            code = _joined([each for each in rest if each.casefold() not in ("code", "is", "my", "the")])
            if looks_like_code(code):
                return said.Code(code)
            return questions.wrong_code(rest) or arguments.network(name, rest)
        case "unlink" | "pause" | "resume":
            return arguments.network(name, rest)
        case "yes" | "no":
            return _answer(name, rest)
        case "skip" | "unskip":
            return _skip(name, rest)
    fillers = POLITE | LEADING | (_MONEY if name == "payouts" else set())
    if any(each.casefold() not in fillers for each in rest):
        return said.Misread(name, f'I did not understand what follows "{name}".', (name,))
    match name:
        case "claim":
            return said.Claim()
        case "payouts":
            return said.Payouts()
    return said.Export()


def _help(rest: list[str]) -> said.Command:
    for word in rest:
        meant = nearest_only(word.casefold(), NAMES)
        if meant and NAMES[meant] in WORDS and word.casefold() not in LEADING - {"flattr", "like"}:
            return said.Help(NAMES[meant])
    strange = [word for word in rest if word.casefold() not in LEADING | POLITE | _ABOUT]
    if len(strange) == 1 and len(rest) <= 2:
        return said.Misread("help", f'I know no command "{strange[0][:40]}".', ("help",))
    return said.Help()


def _answer(name: str, words: list[str]) -> said.Command:
    """A yes counts only if nothing but politeness follows; what it is said to may be named: "yes, stop"."""
    rest = [word.casefold() for word in words]
    if name == "yes" and "stop" in rest and len(rest) == 1:
        return arguments.stop(["yes"])
    if name == "yes" and "decline" in rest and len(rest) == 1:
        return arguments.decline(["yes"])
    if name == "no" and all(word in POLITE | DENYING for word in rest):
        return said.No()
    if name == "yes" and all(word in POLITE | {"link", "them"} for word in rest):
        return said.Yes()
    inner = _understand(words, question=False)  # "no, stop" may mean either, and neither is done unasked
    if isinstance(inner, said.Unknown | said.Misread | said.Guess | said.Hello | said.Thanks | said.Yes | said.No):
        return said.Unknown(("yes", "no"))
    return said.Unknown((name, " ".join(words)))


def _skip(name: str, rest: list[str]) -> said.Command:
    rest = [each for each in rest if each.casefold() not in {"month's", "payment", "it", "paying", "now"}]
    month = month_in(rest) if rest else None
    if rest and month is None:
        return said.Misread(name, f'"{" ".join(rest)[:40]}" is not a month; write it like 2026-10.', (name,))
    return said.Skip(month) if name == "skip" else said.Unskip(month)
