"""How amounts, dates, counts, things and accounts are said: the same everywhere in the conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.talk import Reply, Talk
from core.money import Currency, show
from core.people.tables import Account
from core.periods import month_start

_MONTHS = (
    *("", "January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def date(at: datetime) -> str:
    """``11 December 2026``, in UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month]} {at.year}"


def moment(at: datetime) -> str:
    """``11 December 2026, 14:05 UTC``, where the hour matters."""
    return f"{date(at)}, {at.astimezone(UTC):%H:%M} UTC"


def until(at: datetime) -> str:
    """The end of a time: at midnight the day before is the last one, as people count."""
    at = at.astimezone(UTC)
    if (at.hour, at.minute) == (0, 0):
        return f"the end of {date(at - timedelta(minutes=1))} (UTC)"
    return moment(at)


def month(number: int) -> str:
    """``November 2026``."""
    start = month_start(number)
    return f"{_MONTHS[start.month]} {start.year}"


def about(micros: int, money: Currency) -> str:
    """An amount as it is if it is whole minor units, else rounded and said to be so: ``about 0.073 EUR``."""
    if micros % money.minor_micros == 0:
        return show(micros, money)
    value = Decimal(micros).scaleb(-6)
    places = money.exponent if micros >= 10 * money.minor_micros else min(money.exponent + 2, 6)
    return f"about {value.quantize(Decimal(1).scaleb(-places))} {money.code}"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 like``, ``no likes``, ``12 likes``."""
    many = many or f"{one}s"
    return f"{'no' if number == 0 else number} {one if number == 1 else many}"


def listed(parts: Iterable[str]) -> str:
    """``a, b and c``."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def short(text: str, longest: int) -> str:
    """One line of at most so many characters; what others wrote must not look like lines of ours."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def thing(title: str | None, url: str, longest: int = 60) -> str:
    """A thing by its title, else by its address without the scheme."""
    return short(title or re.sub(r"^https?://(www\.)?", "", url).rstrip("/"), longest)


def account(talk: Talk, row: Account, *, named: bool = True) -> str:
    """``octocat on GitHub``, or ``GitHub account 583231`` where no name is known."""
    title = talk.title(row.platform)
    if row.handle and named:
        return f"{short(row.handle, 40)} on {title}"
    return f"{title} account {short(row.account_id, 60)}"


def unreal(talk: Talk) -> str:
    """That the money is not real, where it is not; '' where it is."""
    if not talk.gateway.pretend:
        return ""
    if talk.gateway.cards():
        return "All money on this hub is pretend money."
    return "All money on this hub is test money: no real card is charged, and nobody is paid."


def marked(talk: Talk, answer: Reply) -> Reply:
    """An answer with a sum in it, saying that the money is not real where one could think so.

    Where everybody has a pretend card, that card says it.
    """
    mark = "" if talk.gateway.cards() else unreal(talk)
    if not mark or mark in answer.text or f" {talk.rules.money.code}" not in answer.text:
        return answer
    return replace(answer, text=f"{answer.text}\n{mark}")


def quoted(texts: Iterable[str], last: str = "or") -> str:
    """``"a", "b" or "c"``: things to send."""
    parts = [f'"{short(text, 120)}"' for text in texts]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""
