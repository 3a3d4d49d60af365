"""Answers to creators who want to be paid: where the money goes, what is missing, what is due."""

from __future__ import annotations

from bot import addresses
from bot.answers import receiving
from bot.answers.cards import processor
from bot.talk import Reply, Turn, reply
from bot.wording import listed, unreal
from core import countries
from core.access.visits import VisitRefused
from core.months import statements
from core.people import claims, persons
from core.people.tables import Person
from core.recipients import needs, onboarding
from core.recipients.tables import Recipient
from core.rules import Rules

PAGE = "payouts"
"""The word for a new address, and the first part of it."""


def payouts(turn: Turn) -> Reply:
    """Claims, if the person has not; then whether money can be sent, and the address where that is settled."""
    person_id = turn.member()
    began = _claimed(turn, person_id)
    if not turn.talk.gateway.onboards:
        return reply(
            began,
            "There is nothing to set up: payouts here are pretend payouts, and need no bank account.",
            _due(turn, person_id),
            buttons=("earnings",),
        )
    row = onboarding.ensure(turn.tx, person_id, turn.at)
    if onboarding.can_pay(turn.tx, turn.talk.gateway, person_id):
        how = f"Money can be sent to you: it goes to your account with {processor(turn.talk)}."
        return _with_address(turn, [began, how, _due(turn, person_id)], "Change your bank account or details here:")
    if row.needs == onboarding.COUNTRY and row.state == "restricted":
        return reply(began, country_refused(turn.rules, row.country), _due(turn, person_id))
    return _with_address(turn, [began, missing(turn, row), _due(turn, person_id)], _way(turn, row))


def _claimed(turn: Turn, person_id: int) -> str:
    """Claims for somebody who does not receive yet; what that brought."""
    person = turn.tx.get_one(Person, persons.root_id(turn.tx, person_id))
    can_pay = onboarding.can_pay(turn.tx, turn.talk.gateway, person_id)
    if person.receives_since is not None and (person.payable_since is not None or not can_pay):
        return ""
    done = claims.claim(turn.tx, turn.rules, person_id=person_id, at=turn.at, can_pay=can_pay)
    return receiving.what_counts(turn, person_id, done) if done.payable else receiving.what_waits(turn, person_id)


def missing(turn: Turn, row: Recipient) -> str:
    """Why money cannot be sent, as far as the processor says."""
    wants = needs.in_words(row.needs)
    there = processor(turn.talk)
    if row.state == "closed":
        return f"Your account with {there} is closed, so nothing can be sent to you. What is due to you stays due."
    if row.state == "restricted":
        asks = f": {there} wants to know {listed(wants)}" if wants else f": {there} has stopped it"
        return f"At present no money can be sent to you{asks}. What is due to you stays due."
    if row.account is None or row.seen_at is None:
        return f"To be paid, tell {there}, the payment processor, who you are and where the money goes."
    if wants:
        return f"Not done yet: {there} still wants to know {listed(wants)}."
    return f"{there} is looking at what you told it; I write to you when money can be sent."


def _way(turn: Turn, row: Recipient) -> str:
    return "Begin anew here:" if row.state == "closed" else "Go there by this address:"


def _with_address(turn: Turn, lines: list[str], way: str) -> Reply:
    try:
        address = addresses.personal(turn.tx, turn.talk, turn.by, PAGE, at=turn.at)
    except VisitRefused as refused:
        return reply(*lines, str(refused))
    return reply(*lines, way, address, addresses.LIFE, unreal(turn.talk), buttons=("earnings",))


def _due(turn: Turn, person_id: int) -> str:
    got = statements.earnings(turn.tx, turn.rules, person_id, turn.at)
    if not got.due_micros:
        return "Nothing is due to you at present."
    can_pay = onboarding.can_pay(turn.tx, turn.talk.gateway, person_id)
    due = receiving.whole(got.due_micros, turn.money)
    return f"Due to you: {due}{receiving.goes_out(turn, got, payable=can_pay)}."


def country_refused(rules: Rules, code: str | None) -> str:
    """That the operator's list of countries has not the creator's, with what it has."""
    where = f" to {countries.name(code)}" if code else " to your country"
    return (
        f"Money cannot be sent{where}: the operator of this hub pays creators in {countries.listed(rules.countries)}."
        " What is liked stays pending, and costs nobody anything. The operator can tell you more."
    )
