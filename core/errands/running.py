"""Runs errands: looks at what the payment processor said has changed, and takes it in where it belongs.

Looking is done outside of any transaction; what was seen and that the errand is done are one. What cannot be
answered now is asked again later; a bug puts off its own errand and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from core.charges import collecting
from core.database import Database, is_away
from core.errands import keeping
from core.errands.tables import Errand
from core.mail.faults import place_of
from core.months import payouts
from core.months.tables import Statement
from core.payments import calling, counterparts
from core.payments.gateway import Gateway
from core.payments.hosted import HostedGateway, Unanswered
from core.people import cards
from core.recipients import onboarding
from core.returns import disputes, refunds, warnings
from core.rules import Rules

LOCK = "errands"
"""The name of the lock under which errands are run: one process at a time."""

BATCH = 200
"""Errands that are looked up before what was seen is taken in."""

PATIENCE = 5.0
"""Seconds of looking after which what was seen so far is taken in."""

BUGS = 10
"""Tries after which an errand that fails for a bug is given up until it is noted again."""

SILENCES = 60
"""Tries after which one that is never answered is: two weeks of silence."""

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=6)

_log = logging.getLogger("flattr.errands")


def _look_at_bank_payout(gateway: HostedGateway, reference: str) -> object:
    account, _, payout = reference.partition("/")
    return gateway.look_at_bank_payout(account, payout)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is asked of the processor for an errand, and who takes the answer in."""

    look: Callable[[HostedGateway, str], Any]
    learn: Callable[[Session, Rules, Any, datetime], None]


_KINDS: Mapping[str, _Kind] = {
    "intent": _Kind(lambda gateway, reference: gateway.look_at_intent(reference), collecting.learn),
    "setup": _Kind(lambda gateway, reference: gateway.look_at_setup(reference), cards.learn_setup),
    "account": _Kind(lambda gateway, reference: gateway.look_at_account(reference), onboarding.learn),
    "refund": _Kind(lambda gateway, reference: gateway.look_at_refund(reference), refunds.learn),
    "dispute": _Kind(lambda gateway, reference: gateway.look_at_dispute(reference), disputes.learn),
    "warning": _Kind(lambda gateway, reference: gateway.look_at_warning(reference), warnings.learn),
    "transfer": _Kind(lambda gateway, reference: gateway.look_at_transfer(reference), payouts.learn),
    "bank_payout": _Kind(_look_at_bank_payout, onboarding.learn_bank_payout),
}


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why an errand was not run; ``bug``: asking again will hardly help."""

    reason: str
    bug: bool


def run(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> int:
    """Run every errand that is due, each once; how many were done. Safe to call at any moment, any number of times.

    Raises `core.database.Busy` if another process is at it.
    """
    if not isinstance(gateway, HostedGateway):
        return 0  # there is nobody to ask
    host = gateway
    done = 0
    left: set[int] = set()  # what was run without being done: each errand has one turn
    with db.exclusively(LOCK):
        while True:
            with db.reading() as tx:
                errands = [each for each in keeping.due(tx, at, BATCH + len(left)) if each.id not in left]
                moot = {each.reference for each in errands if _settled(tx, each)}
            if not errands:
                return done

            def look(errand: Errand, at: datetime, moot: set[str] = moot) -> object:
                return None if errand.reference in moot else _look(host, errand)

            for errand, answer in calling.answers(look, errands, at, at_once=gateway.at_once, patience=PATIENCE):
                assert errand.id is not None
                if _take(db, rules, errand, answer, at):
                    done += 1
                else:
                    left.add(errand.id)


def _settled(tx: Session, errand: Errand) -> bool:
    """Whether nothing that is seen could change anything: most news is of charges whose answer was heard."""
    if errand.kind != "intent":
        return False
    statement_id = counterparts.owner(tx, "intent", errand.reference)
    statement = tx.get(Statement, statement_id) if statement_id is not None else None
    return statement is not None and statement.state != "due"


def _look(gateway: HostedGateway, errand: Errand) -> object:
    """What the processor says; None: nothing that is this hub's."""
    try:
        match errand.kind:
            case "card":
                return gateway.look_at_card(errand.reference)
            case cards.FORGET:
                gateway.forget_card(errand.reference)
                return None
            case "balance":
                return None
            case kind:
                return _KINDS[kind].look(gateway, errand.reference)
    except Unanswered as error:
        return _Failed(str(error), bug=False)
    except Exception as error:  # noqa: BLE001 - logged; the others go on
        return _Failed(place_of(error), bug=True)


def _take(db: Database, rules: Rules, errand: Errand, answer: object, at: datetime) -> bool:
    """Take in what was seen; False if the errand is to be run again."""
    assert errand.id is not None
    failed = answer if isinstance(answer, _Failed) else None
    if failed is None:
        try:
            with db.transaction() as tx:
                _learn(tx, rules, errand, answer, at)
                return keeping.done(tx, errand.id, errand.version, at)
        except Exception as error:  # noqa: BLE001 - logged; if the database is away, saying so below raises it
            failed = _Failed(place_of(error), bug=not is_away(error))
    if failed.bug:
        _log.error("errand %d (%s) failed: %s", errand.id, errand.kind, failed.reason)
    with db.transaction() as tx:
        if errand.tries + 1 >= (BUGS if failed.bug else SILENCES):
            keeping.failed(tx, errand.id, errand.version, at, failed.reason)
        else:
            keeping.later(tx, errand.id, errand.version, at + _pause(errand.tries), failed.reason)
    return False


def _learn(tx: Session, rules: Rules, errand: Errand, answer: Any, at: datetime) -> None:
    match errand.kind:
        case "card":
            cards.learn_card(tx, rules, errand.reference, answer, at)
        case "balance":
            payouts.hurry(tx, rules, at)
        case kind if answer is not None:
            _KINDS[kind].learn(tx, rules, answer, at)


def _pause(tries: int) -> timedelta:
    """Doubling, from seconds to hours."""
    return min(FIRST_PAUSE * (1 << min(tries, 20)), LONGEST_PAUSE)
