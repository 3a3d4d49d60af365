"""Notes to creators about whether money can be sent to them."""

from __future__ import annotations

from bot.announcing.telling import OVER, person_of, way
from bot.answers import payouts, receiving
from bot.talk import Reply, Turn, reply
from bot.wording import count, unreal
from core.months import statements
from core.people import claims, persons
from core.recipients import onboarding


def onboarding_reminder(turn: Turn, person_id: int, number: int) -> Reply:
    """A reminder of an onboarding that was begun; the last one says that it is the last."""
    person = person_of(turn, person_id)
    if person is None:
        return OVER
    root = persons.key(person)
    row = onboarding.recipient_of(turn.tx, root)
    if row is None or onboarding.can_pay(turn.tx, turn.talk.gateway, root):
        return OVER
    if row.needs == onboarding.COUNTRY:
        return OVER  # told when it was learned; there is nothing that they could finish
    last = number >= len(onboarding.REMINDERS)
    return reply(
        f"You asked to be paid, and no money can be sent to you yet.{_waiting(turn, root)}",
        payouts.missing(turn, row),
        *way(turn, "Go on here:", payouts.PAGE),
        'This is the last time that I remind you; "payouts" goes on whenever you like.' if last else "",
        unreal(turn.talk),
        buttons=("payouts", "earnings"),
    )


def _waiting(turn: Turn, root: int) -> str:
    found = [
        claims.pending_for(turn.tx, turn.rules, row, turn.at).flattrs for row in persons.accounts_of(turn.tx, root)
    ]
    waiting = sum(found)
    if not waiting:
        return ""
    days = turn.rules.pending_days
    wait = "waits" if waiting == 1 else "wait"
    return f" {count(waiting, 'like')} for your things {wait} for that, each for {days} days."


def payable(turn: Turn, person_id: int) -> Reply:
    """Money can be sent from now on."""
    person = person_of(turn, person_id)
    if person is None or not onboarding.can_pay(turn.tx, turn.talk.gateway, persons.key(person)):
        return OVER
    if person.receives_since is None:
        return reply(
            'Money can be sent to you now. To receive what people give for your things, say "claim".',
            buttons=("claim",),
        )
    got = statements.earnings(turn.tx, turn.rules, persons.key(person), turn.at)
    due = f" Due to you: {receiving.whole(got.due_micros, turn.money)}." if got.due_micros else ""
    return reply(
        f"Money can be sent to you now: what was pending for your things counts this month.{due}",
        '"earnings" shows what you get.',
        unreal(turn.talk),
        buttons=("earnings",),
    )


def restricted(turn: Turn, person_id: int) -> Reply:
    """Money cannot be sent any more, or never could."""
    person = person_of(turn, person_id)
    if person is None:
        return OVER
    root = persons.key(person)
    row = onboarding.recipient_of(turn.tx, root)
    if row is None or onboarding.can_pay(turn.tx, turn.talk.gateway, root):
        return OVER
    if row.needs == onboarding.COUNTRY:
        return reply(payouts.country_refused(turn.rules, row.country))
    return reply(
        payouts.missing(turn, row), *way(turn, "Settle it here:", payouts.PAGE), unreal(turn.talk), buttons=("payouts",)
    )
