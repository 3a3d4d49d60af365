"""The conversation: one message in, one answer out, the same on every network."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from bot.answers import accounts, cards, giving, helping, leaving, money, month, payouts, receiving, statement
from bot.commands import parse
from bot.hearing import said
from bot.talk import PlatformFacts, Reply, Resolved, Talk, Turn
from bot.wording import marked
from core.events import AccountRef
from core.people import persons

__all__ = ["PlatformFacts", "Reply", "Resolved", "Talk", "answer"]


def answer(tx: Session, talk: Talk, by: AccountRef, text: str, at: datetime) -> Reply:
    """Understand one direct message, do what it asks in this transaction, and say what was done.

    Nothing is remembered between messages but what the database holds: a question that needs a yes either is an
    open link offer, or names what to send ("stop yes").
    """
    if by.is_bot:
        return Reply("I talk to people only.")
    persons.mark_spoken(tx, by, at)  # first, so that a handle just learned is used in the answer
    found = _answer(Turn(tx=tx, talk=talk, by=by, at=at), parse(text))
    persons.mark_spoken(tx, by, at)  # and last, for the message that made a stranger a member
    return marked(talk, found)


def _answer(turn: Turn, command: said.Command) -> Reply:
    if isinstance(command, said.Guess):
        return helping.guessed(command, _read(turn, command.command))
    if isinstance(command, said.Reading):
        return _read(turn, command)
    return _change(turn, command)


def _read(turn: Turn, command: said.Reading) -> Reply:
    match command:
        case said.Hello() | said.Thanks():
            return helping.hello(turn, command)
        case said.Help():
            return helping.help_(turn, command)
        case said.Misread():
            return helping.misread(turn, command)
        case said.Unknown():
            return helping.unknown(turn, command)
        case said.Accounts():
            return accounts.accounts(turn)
        case said.ShowBudget():
            return money.budget(turn, command)
        case said.ShowCard():
            return cards.card(turn, command)
        case said.ShowCaps():
            return money.caps(turn, command)
        case said.ShowCover():
            return money.cover(turn, command)
        case said.Status():
            return month.status(turn)
        case said.List():
            return month.listing(turn, command)
        case said.ShowStatement():
            return statement.statement(turn, command)
        case said.Subscriptions():
            return giving.show_subscriptions(turn)
        case said.ShowIgnored():
            return giving.show_ignored(turn)
        case said.ShowEarnings():
            return receiving.earnings(turn)


def _change(turn: Turn, command: said.Changing) -> Reply:
    match command:
        case said.Link():
            return accounts.link(turn, command)
        case said.Code():
            return accounts.code(turn, command)
        case said.Yes() | said.No():
            return accounts.answer(turn, command)
        case said.Unlink():
            return accounts.unlink(turn, command)
        case said.SetBudget():
            return money.budget(turn, command)
        case said.ChooseCard() | said.RemoveCard():
            return cards.card(turn, command)
        case said.SetCap():
            return money.caps(turn, command)
        case said.Cover():
            return money.cover(turn, command)
        case said.Remove():
            return month.remove(turn, command)
        case said.Skip() | said.Unskip():
            return month.skipping(turn, command)
        case said.Flattr():
            return giving.flattr(turn, command)
        case said.Subscribe():
            return giving.subscribe(turn, command)
        case said.Unsubscribe():
            return giving.unsubscribe(turn, command)
        case said.Pause() | said.Resume():
            return giving.pausing(turn, command)
        case said.Ignore() | said.Unignore():
            return giving.ignoring(turn, command)
        case said.Claim():
            return receiving.claim(turn)
        case said.Payouts():
            return payouts.payouts(turn)
        case said.Decline() | said.TakeBack():
            return receiving.decline(turn, command)
        case said.Stop():
            return leaving.stop(turn, command)
        case said.Export():
            return leaving.export(turn)
