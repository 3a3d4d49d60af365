"""Reads what follows a command's name: amounts, numbers, months, networks, creators."""

from __future__ import annotations

import re

from bot.hearing import said
from bot.hearing.spelling import is_url
from bot.hearing.when import month_in

_NOW = {"now", "immediately", "today", "once", "already", "instantly", "right"}
_AMOUNT_FILLERS = {
    *("to", "of", "is", "at", "a", "per", "month", "monthly", "every", "each"),
    *("my", "the", "for", "this"),
}
_CARD_FILLERS = {
    *("use", "choose", "ending", "in", "show", "enter", "add", "new", "change", "replace", "another", "update"),
    *("please", "number", "details"),
}
_OFF = {"off", "none", "no", "nothing", "zero", "0", "end", "without"}
_ON = {"on", "yes", "sure", "ok"}
_NUMBER_FILLERS = {
    "and",
    "number",
    "numbers",
    "no",
    "nr",
    "num",
    "from",
    "list",
    "the",
    "also",
    "too",
    "my",
    "like",
}
_SURE = {"yes", "please", "i", "am", "i'm", "sure", "really", "delete", "me", "decline", "stop"}
"""All that may stand beside a yes that deletes: "stop asking me, yes?" must not be one."""
MOST_NUMBERS = 500
_BARE_ADDRESS = re.compile(r"[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(/\S*)?")
_ACCOUNT = re.compile(r"(?P<platform>[A-Za-z][\w.\-]*):(?!//)(?P<id>\S+)")

Said = said.Reading | said.Changing


def amount_of(words: list[str]) -> tuple[str, bool] | None:
    """An amount as typed and whether "now" was added; None if there is more than one amount or none."""
    now = any(word.lower() in _NOW for word in words)
    rest = [word for word in words if word.lower() not in _NOW | _AMOUNT_FILLERS]
    rest = [re.sub(r"/(month|mo|m)$", "", word, flags=re.IGNORECASE) for word in rest]
    if len(rest) == 1 and rest[0].lower() in _OFF:
        return "0", now
    if sum(any(mark.isdigit() for mark in word) for word in rest) != 1 or len(rest) > 2:
        return None
    return _plain(" ".join(rest)), now


def _plain(amount: str) -> str:
    """1.000,50 and 1,000.50 without their thousands marks: with two different marks the last is the decimal one."""
    found = re.search(r"(?<![\d.,'])\d{1,3}([.,'])\d{3}(?:\1\d{3})*(?!\1)[.,]\d+(?![\d.,'])", amount)
    if found is None:
        return amount
    plain = re.sub(r"[.,'](?=.*[.,])", "", found[0]).replace(",", ".")
    return amount[: found.start()] + plain + amount[found.end() :]


def looks_ambiguous(amount: str) -> bool:
    """Whether an amount such as 2,500 could be two and a half or two thousand five hundred."""
    return re.search(r"(?<![\d.,])\d{1,3}[.,]\d{3}(?![\d])", amount) is not None


def target_in(word: str) -> str | None:
    """An address as it is, or NETWORK:ID with the network in small letters; None for anything else."""
    if is_url(word):
        return word
    match = _ACCOUNT.fullmatch(word)
    return f"{match['platform'].lower()}:{match['id']}" if match else None


def budget(words: list[str]) -> Said:
    """budget [AMOUNT [now]]."""
    if not words or {word.lower() for word in words} <= {"show", "status", "now", "current"}:
        return said.ShowBudget()
    if (found := amount_of(words)) is None:
        why = "I could not find one amount in that."
        return said.Misread("budget", why, ("budget 35", "budget 4.50 now"))
    amount, now = found
    if looks_ambiguous(amount):
        return said.Misread("budget", f"{amount} can be read in two ways; write it without a thousands mark.")
    return said.SetBudget(amount, now)


def cap(words: list[str]) -> Said:
    """cap [AMOUNT per like | AMOUNT per creator | off]."""
    lower = [word.lower() for word in words]
    creator = any(word in ("creator", "creators", "person", "author", "artist") for word in lower)
    like = any(word in ("like", "likes", "flattr", "flattrs", "thing", "each") for word in lower)
    names = {
        "creator",
        "creators",
        "person",
        "author",
        "artist",
        "like",
        "likes",
        "flattr",
        "flattrs",
        "thing",
        "each",
    }
    rest = [word for word in words if word.lower() not in names]
    if not words or lower == ["show"]:
        return said.ShowCaps()
    per = "creator" if creator and not like else "like" if like and not creator else "both"
    found = amount_of(rest)
    if found is None or looks_ambiguous(found[0]) or (creator and like):
        why = "I need one amount, and whether it is per like or per creator."
        return said.Misread("cap", why, ("cap 0.50 per like", "cap 5 per creator", "cap off"))
    amount = found[0]
    if not amount.strip("0.,") or any(word in _OFF for word in lower):
        return said.SetCap(per, None)
    if per == "both":
        return said.Misread("cap", "Per like or per creator?", (f"cap {amount} per like", f"cap {amount} per creator"))
    return said.SetCap(per, amount)


def cover(words: list[str]) -> Said:
    """cover [on | off]."""
    lower = {word.lower() for word in words}
    if lower & (_OFF | {"not", "stop"}):
        return said.Cover(on=False)
    if lower & _ON or lower & {"cost", "costs", "card's"}:
        return said.Cover(on=True)
    return said.Misread("cover", "On or off?", ("cover on", "cover off")) if words else said.ShowCover()


def card(words: list[str]) -> Said:
    """card [remove | LAST DIGITS]."""
    rest = [word for word in words if word.lower() not in _AMOUNT_FILLERS | _CARD_FILLERS]
    if not rest:
        return said.ShowCard()
    if rest[0].lower() in _OFF | {"remove", "delete", "forget"}:
        return said.RemoveCard()
    if len(rest) == 1 and re.fullmatch(r"\d{1,4}", rest[0]):
        return said.ChooseCard(rest[0].zfill(4))
    if sum(mark.isdigit() for mark in "".join(rest)) > 8:
        return said.Misread("card", "Please never send a whole card number in a chat; I have not kept it.", ("card",))
    return said.Misread("card", "I need the last four digits of a card on the list.", ("card",))


def remove(words: list[str]) -> Said:
    """remove NUMBER... or remove URL, both with or without "from MONTH"."""
    month = None
    lower = [word.lower() for word in words]
    for place, word in enumerate(lower):
        if word in ("from", "in", "of") and (month := month_in(words[place + 1 :])):
            words = words[:place]
            break
    urls = tuple(dict.fromkeys(word for word in words if is_url(word)))
    text = re.sub(r"\s*(-|\.\.+| to )\s*", "-", " ".join(word for word in words if not is_url(word)))
    numbers: list[int] = []
    for part in re.split(r"[\s,;&+]+", text.lower()):
        number = part.strip("#-")
        if not number or number in _NUMBER_FILLERS:
            continue
        if number in ("all", "everything"):
            return said.Misread("remove", 'To pay nothing for the month, say "skip".', ("skip", "list"))
        match = re.fullmatch(r"(\d{1,6})(?:-#?(\d{1,6}))?", number)
        if not match or (match[2] and not 0 <= int(match[2]) - int(match[1]) < MOST_NUMBERS):
            return said.Misread("remove", f'"{number[:40]}" is not a number in your list.', ("list",))
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not urls and not numbers:
        return said.Misread("remove", 'Which one? Say its number in the list, as in "remove 3".', ("list",))
    if len(numbers) > MOST_NUMBERS:
        return said.Misread("remove", f"That is more than {MOST_NUMBERS} at once.", ("list",))
    return said.Remove(tuple(dict.fromkeys(numbers)), urls, month)


def listing(words: list[str]) -> Said:
    """list [MONTH] [page N]."""
    page = 1
    lower = [word.lower() for word in words]
    if lower == ["more"] or lower == ["next"]:
        return said.List(page=2)
    if "page" in lower:
        place = lower.index("page")
        number = lower[place + 1] if place + 1 < len(lower) else ""
        if not re.fullmatch(r"[1-9]\d{0,4}", number):
            return said.Misread("list", "Pages have numbers.", ("list page 2",))
        page, words = int(number), words[:place] + words[place + 2 :]
    if not words:
        return said.List(page=page)
    if (month := month_in(words)) is None:
        why = f'"{" ".join(words)[:40]}" is not a month; write it like 2026-10.'
        return said.Misread("list", why, ("list", "list last month"))
    return said.List(month, page)


def statement(words: list[str]) -> Said:
    """statement [MONTH]."""
    if not words or [word.lower() for word in words] == ["latest"]:
        return said.ShowStatement()
    if (month := month_in(words)) is None:
        why = f'"{" ".join(words)[:40]}" is not a month; write it like 2026-10.'
        return said.Misread("statement", why, ("statement", "statement last month"))
    return said.ShowStatement(month)


def flattr(words: list[str]) -> Said:
    """flattr URL."""
    urls = [word for word in words if is_url(word)]
    if len(words) == 1 and _BARE_ADDRESS.fullmatch(words[0]):
        urls = [f"https://{words[0]}"]
    if len(urls) != 1:
        why = "One address at a time, please." if urls else "I need the address of the thing."
        return said.Misread("flattr", why)
    return said.Flattr(urls[0])


def subscribe(words: list[str]) -> Said:
    """subscribe URL or NETWORK:ID [until MONTH]."""
    words = words[1:] if words and words[0].lower() in ("to", "for") else words
    target = target_in(words[0]) if words else None
    if target is None:
        return _who("subscribe")
    if len(words) == 1:
        return said.Subscribe(target)
    until = month_in(words[2:]) if words[1].lower() in ("until", "till", "til", "to", "through") else None
    if until is None:
        return said.Misread("subscribe", "Say the last month after until, like 2027-03.", (f"subscribe {target}",))
    return said.Subscribe(target, until)


def creator(name: str, words: list[str]) -> Said:
    """ignore, unignore or unsubscribe, with URL or NETWORK:ID."""
    words = words[1:] if words and words[0].lower() in ("from", "to") else words
    if not words and name == "ignore":
        return said.ShowIgnored()
    target = target_in(words[0]) if len(words) == 1 else None
    if target is None:
        return _who(name)
    match name:
        case "ignore":
            return said.Ignore(target)
        case "unignore":
            return said.Unignore(target)
    return said.Unsubscribe(target)


def _who(name: str) -> said.Misread:
    why = (
        "I know people by their network and number there, like github:21031067, or by the address of"
        " something that they made."
    )
    return said.Misread(name, why)


def network(name: str, words: list[str]) -> Said:
    """link, unlink, pause or resume, with or without a network."""
    fillers = {"my", "the", "account", "on", "with", "to", "from", "all", "everything", "everywhere", "likes"}
    rest = [word for word in words if word.lower() not in fillers]
    which = " ".join(target_in(word) or word.lower() for word in rest) or None
    match name:
        case "link":
            if len(rest) > 1 and rest[-1].lower() in ("page", "pages"):
                return said.Link(" ".join(word.lower() for word in rest[:-1]), page=True)
            return said.Link(which)
        case "pause":
            return said.Pause(which)
        case "resume":
            return said.Resume(which)
    if which is None:
        return said.Misread("unlink", "Which one?", ("accounts",))
    return said.Unlink(which)


def decline(words: list[str]) -> Said:
    """decline, decline yes, decline undo."""
    lower = {word.lower() for word in words}
    if lower & {"undo", "back", "off", "no", "revoke", "not"}:
        return said.TakeBack()
    return said.Decline(sure="yes" in lower and lower <= _SURE)


def stop(words: list[str]) -> Said:
    """stop, stop yes."""
    lower = {word.lower() for word in words}
    return said.Stop(sure="yes" in lower and lower <= _SURE)
