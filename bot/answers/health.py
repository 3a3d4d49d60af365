"""How the reading of somebody's likes goes, in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.talk import Turn
from bot.wording import count, moment
from core import listings
from core.listings import Health
from core.people import persons
from core.people.tables import Account

WORTH_TELLING = timedelta(days=7)
"""After this time a spell without readings is told no more."""
BAD_LUCK = 2
"""So many failures in a row are worth telling; one is made good in a minute."""


def of(turn: Turn, row: Account) -> list[str]:
    """What its owner should know of an account that is read: when it was, when it is next, what went wrong."""
    if row.needs_relink_at is not None:
        return []
    found = listings.health(turn.tx, persons.key(row), turn.at)
    if found is None:
        return []
    title = turn.talk.title(row.platform)
    return [_now(found, title, turn.at), *_spell(found, title, turn.at)]


def _now(found: Health, title: str, at: datetime) -> str:
    if found.failures >= BAD_LUCK and found.failing_since is not None:
        since = found.read_at or found.failing_since
        return f"{title} has not answered since {_time(since, at)}; nothing is lost, I read on from there."
    if found.read_at is None:
        return f"{title}: your likes there are about to be read for the first time."
    if found.late:
        return f"{title}: last seen {_time(found.read_at, at)}; I am late, but nothing is lost."
    upcoming = f"next {_time(found.next_at, at)}" if found.next_at > at else "next in a moment"
    return f"{title}: last seen {_time(found.read_at, at)}, {upcoming}."


def _spell(found: Health, title: str, at: datetime) -> list[str]:
    if found.blind_from is None or found.blind_until is None or found.blind_until + WORTH_TELLING < at:
        return []
    caught_up = f"{count(found.caught_up, 'like')} caught up" if found.caught_up else "no like was missed"
    return [
        f"I could not see {title} from {_time(found.blind_from, at)} to {_time(found.blind_until, at)}; {caught_up}."
    ]


def _time(when: datetime, at: datetime) -> str:
    """``14:05`` (UTC) of the same day, else with its date."""
    when = when.astimezone(UTC)
    return f"{when:%H:%M} UTC" if when.date() == at.astimezone(UTC).date() else moment(when)
