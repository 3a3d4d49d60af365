"""Answers to creators: claiming, earnings, declining."""

from __future__ import annotations

from bot.answers.statement import page_line
from bot.hearing import said
from bot.talk import Reply, Turn, reply
from bot.wording import count, date, month
from core.money import Currency, show
from core.months import statements
from core.people import claims, persons
from core.people.claims import Claimed
from core.people.tables import Account
from core.recipients import onboarding

MONTHS = 6
"""Months that `earnings` shows."""


def whole(micros: int, money: Currency) -> str:
    """What a creator's sum is in whole minor units; the micros below are carried, not lost."""
    floored = money.floor(micros)
    return show(floored, money) if floored or not micros else f"less than {show(money.minor_micros, money)}"


def claim(turn: Turn) -> Reply:
    """The person receives from now on."""
    person_id = turn.member()
    mine = persons.accounts_of(turn.tx, person_id)
    back = any(claims.is_declined(turn.tx, turn.rules, persons.ref(row)) for row in mine)
    undone = "Your decline is taken back; you receive again." if back else ""
    can_pay = onboarding.can_pay(turn.tx, turn.talk.gateway, person_id)
    done = claims.claim(turn.tx, turn.rules, person_id=person_id, at=turn.at, can_pay=can_pay)
    if not can_pay:
        onboarding.ensure(turn.tx, person_id, turn.at)  # from here the reminders count
    if done.before and not done.joined and back:
        return reply(undone, "What your decline made void stays void; new likes count.", buttons=("earnings",))
    if done.before and not done.joined:
        return reply('You receive already. "earnings" shows what.', buttons=("earnings",))
    if not done.payable:
        return reply(
            "Your decline is taken back." if back else "",
            what_waits(turn, person_id),
            'Write "payouts" to say where the money goes.',
            buttons=("payouts",),
        )
    return reply(
        f"{undone} {_joined(done)}" if back else what_counts(turn, person_id, done),
        'Other accounts of yours: "link" adds them. "earnings" shows what you get.',
        buttons=("earnings", "link"),
    )


def what_counts(turn: Turn, person_id: int, done: Claimed) -> str:
    """That somebody receives from now on, and what was waiting for them."""
    return f"You receive now, for all things of {_whose(turn, person_id)}. {_joined(done)}"


def what_waits(turn: Turn, person_id: int) -> str:
    """That somebody has claimed to whom no money can be sent yet."""
    return f"You have claimed {_whose(turn, person_id)}. What is liked stays pending until money can be sent to you."


def _joined(done: Claimed) -> str:
    if not done.joined:
        return "Nothing was waiting for you yet."
    older = f", {done.moved} of them older" if done.moved else ""
    verb = "counts" if done.joined == 1 else "count"
    return f"{count(done.joined, 'like')} of {count(done.patrons, 'patron')} now {verb} this month{older}."


def _whose(turn: Turn, person_id: int) -> str:
    mine = persons.accounts_of(turn.tx, person_id)
    return f"your {count(len(mine), 'account')}" if len(mine) > 1 else "this account"


def earnings(turn: Turn) -> Reply:
    """What was received, what is due, what waits."""
    person = turn.person
    if person is None or person.receives_since is None:
        row = persons.account_of(turn.tx, turn.by)
        waiting = claims.pending_for(turn.tx, turn.rules, row, turn.at) if row is not None else None
        if waiting is not None and waiting.flattrs:
            news = f"{count(waiting.flattrs, 'like')} of {count(waiting.patrons, 'patron')} would count if you did."
        else:
            news = "Nothing is waiting for you yet."
        return reply(f"You do not receive yet. {news}", '"claim" begins; it costs nothing.', buttons=("claim",))
    money = turn.money
    got = statements.earnings(turn.tx, turn.rules, persons.key(person), turn.at)
    paid, due = show(got.paid_micros, money), whole(got.due_micros, money)
    payable = onboarding.can_pay(turn.tx, turn.talk.gateway, persons.key(person))
    under_way = f" On its way to you: {show(got.under_way_micros, money)}." if got.under_way_micros else ""
    lines = [f"Paid out to you so far: {paid}.{under_way} Due to you: {due}{goes_out(turn, got, payable=payable)}."]
    if got.waiting_micros:
        lines.append(f"Of that, {whole(got.waiting_micros, money)} comes from new patrons and waits one run longer.")
    if got.due_micros and got.due_micros < turn.rules.payout_min_micros:
        lines.append(f"Payouts begin at {show(turn.rules.payout_min_micros, money)}; less is carried on.")
    lines.append(
        f"This month so far: {count(got.open_flattrs, 'like')}"
        + (f" of {count(got.patrons, 'patron')}." if got.open_flattrs else ".")
    )
    lines += [_earned(turn, each) for each in got.months[:MONTHS]]
    if got.held_micros:
        kept = whole(got.held_micros, money)
        lines.insert(1, f"Of that, {kept} is kept from payouts until the operator has looked at it.")
    lines.append(page_line(turn, "Every like with its receipt, and files to keep", "earnings"))
    if payable:
        return reply(*lines)
    return reply(*lines, 'No money can be sent to you yet: write "payouts".', buttons=("payouts",))


def _earned(turn: Turn, it: statements.EarnedMonth) -> str:
    gross, collected = whole(it.gross_micros, turn.money), whole(it.collected_micros, turn.money)
    back = f", {whole(it.taken_back_micros, turn.money)} of that went back to patrons" if it.taken_back_micros else ""
    return f"{month(it.month)}: {count(it.flattrs, 'like')}, {gross}, of it collected {collected}{back}."


def goes_out(turn: Turn, got: statements.Earnings, *, payable: bool) -> str:
    """When money goes out, to be said behind the sum that is due; nothing of somebody who cannot be paid."""
    if payable and got.next_run > turn.at:
        return f"; the next payout run is on {date(got.next_run)}"
    # A day that is past was one on which nobody was owed anything, so no run has begun.
    return "; it goes out with the next payout run" if payable and got.due_micros else ""


def decline(turn: Turn, wish: said.Decline | said.TakeBack) -> Reply:
    """This account wants no money, or wants it after all."""
    row = persons.account_of(turn.tx, turn.by)
    where = f"this {turn.talk.title(turn.by.platform)} account"
    receives = turn.person is not None and turn.person.payable_since is not None
    kind = "like" if receives else "pending like"  # what a receiving creator has in the open month does count
    declined = claims.is_declined(turn.tx, turn.rules, turn.by)
    if isinstance(wish, said.TakeBack):
        if not declined:
            return reply(f"You have not declined for {where}.")
        mine = Account(platform=turn.by.platform, account_id=turn.by.account_id)  # not stored for this
        claims.take_back(turn.tx, turn.rules, mine, turn.at)
        return reply(
            f"Taken back: new likes of the things of {where} count again.",
            "You receive again." if receives else 'To receive, say "claim".',
        )
    if declined:
        return reply(f'You have declined for {where}. "decline undo" takes it back.')
    if not wish.sure:
        waiting = claims.pending_for(turn.tx, turn.rules, row, turn.at).flattrs if row else 0
        now = f", which {'counts' if waiting == 1 else 'count'} now," if receives else ""
        void = f" {count(waiting, kind)}{now} would be void for good." if waiting else ""
        return reply(
            f"If you decline, nobody can give money for the things of {where}.{void} You can take it back later.",
            'If you are sure, say "decline yes".',
            buttons=("decline yes",),
        )
    fresh = row is None
    row = row or persons.ensure_account(turn.tx, turn.by)
    done = claims.decline(turn.tx, turn.rules, row, turn.at)
    if fresh:
        turn.tx.delete(row)  # of who declines nothing is kept but a hash
        turn.tx.flush()
    void = f" {count(done.voided, kind)} {'is' if done.voided == 1 else 'are'} void." if done.voided else ""
    return reply(f"Declined: nobody can give money for the things of {where}.{void}", '"decline undo" takes it back.')
