"""Answers about a person's data: the export, and leaving."""

from __future__ import annotations

import json

from bot.hearing.said import Stop
from bot.talk import Reply, Turn, reply
from bot.wording import count, listed
from core.money import show
from core.months import statements
from core.people import leaving, persons, subscriptions

LONGEST = 6_000
"""Characters of an export that are still bearable as chat messages."""


def stop(turn: Turn, wish: Stop) -> Reply:
    """What leaving does, and with its yes: leaves."""
    person_id = turn.person_id
    if person_id is None:
        return reply("I know nothing of you that I could delete.")
    if not wish.sure:
        return _before(turn, person_id)
    done = leaving.stop(turn.tx, turn.rules, person_id, turn.at)
    forgotten = "is" if done.accounts == 1 else "are"
    start = f"Done: {count(done.accounts, 'account')} of yours {forgotten} forgotten here"
    lines = [f"{start}, and nothing will be charged any more."]
    if done.resolving:
        lines.append(
            f"{count(done.resolving, 'charge')} of which I do not know the outcome yet will end as your card's bank"
            " says; nothing is tried again."
        )
    if done.dues_micros:
        lines.append(f"The {show(done.dues_micros, turn.money)} due to you are paid out with the next run.")
    lines.append("All the best! If you write again, you begin anew.")
    return reply(*lines)


def _before(turn: Turn, person_id: int) -> Reply:
    rows = persons.accounts_of(turn.tx, person_id)
    subscribed = len(subscriptions.subscriptions_of(turn.tx, person_id))
    got = statements.earnings(turn.tx, turn.rules, person_id, turn.at)
    ends = ["your budget", "your card", "all likes that have not been charged yet"]
    if subscribed:
        ends.append(count(subscribed, "subscription"))
    mine = f"{count(len(rows), 'account')} ({', '.join(map(str, rows))})"
    lines = [
        f"If you leave: {mine} will be unlinked, and these end at once: {listed(ends)}.",
        "Nothing that was not charged will be. What was paid stays in the books, without your name.",
    ]
    if got.due_micros:
        lines.append(f"The {show(got.due_micros, turn.money)} due to you will still be paid out.")
    lines.append('It cannot be undone. "export" gives you your data first. If you are sure, say "stop yes".')
    return reply(*lines, buttons=("stop yes", "export"))


def export(turn: Turn) -> Reply:
    """Everything that is known of the person, as JSON."""
    person_id = turn.person_id
    if person_id is None:
        return reply("I know nothing of you; there is nothing to export.")
    found = leaving.export(turn.tx, turn.rules, person_id, turn.at)
    text = json.dumps(found, ensure_ascii=False, default=str)
    if len(text) > LONGEST:
        return reply(
            f"Your data are {len(text):,} characters of JSON, too long for a chat. Ask the operator of this hub"
            f" for the export of {turn.by}."
        )
    return Reply(f"Everything I know of you, as JSON:\n{text}")
