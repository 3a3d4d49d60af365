"""Payout runs: one transfer per creator for everything due, aggregated over patrons and months.

A run is a row. It first reserves every payout (a row, and a posting into transit), then sends them;
starting it again continues it. What is below the minimum is carried and never lapses.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col, select

from core.books import ledger
from core.database import Database, take_turns
from core.mail import outbox
from core.money import show
from core.months import affording, dues
from core.months.tables import Payout, PayoutRun
from core.payments import calling
from core.payments.gateway import Done, Gateway, Outcome, Refused, TransferRequest, Unknown
from core.payments.hosted import HostedGateway
from core.payments.states import TransferState
from core.people import audit
from core.periods import month_of, month_start
from core.recipients import onboarding
from core.rules import Rules

BATCH = 100
"""Payouts that are noted as asked for in one commit; after a crash so many are looked up before they are sent."""


def due_period(tx: Session, rules: Rules, at: datetime) -> int | None:
    """The period whose run is due at a time and was not begun; None if there is none, or nothing is owed."""
    period = month_of(at)
    if at < month_start(period) + timedelta(days=rules.payout_day - 1):
        return None
    if tx.exec(select(PayoutRun).where(PayoutRun.period == period)).first() is not None:
        return None
    owes = tx.execute(sa.text("select 1 from posting where credit % 8 = 3 limit 1")).first()
    return period if owes else None


def next_run(tx: Session, rules: Rules, at: datetime) -> datetime:
    """When the next payout run is due."""
    period = month_of(at)
    begun = tx.exec(select(PayoutRun).where(PayoutRun.period == period)).first() is not None
    return month_start(period + begun) + timedelta(days=rules.payout_day - 1)


def begin(tx: Session, rules: Rules, period: int, at: datetime) -> int:
    """Make the run's row and reserve its payouts; the run's id."""
    take_turns(tx, "dues")  # nobody takes back meanwhile what is about to be reserved
    reserved: dict[int, list[dues.Part]] = {}
    for part in dues.payable(tx, rules, at):
        reserved.setdefault(part.creator_id, []).append(part)
    run = PayoutRun(period=period, started_at=at)
    tx.add(run)
    tx.flush()
    assert run.id is not None
    destinations = onboarding.active_accounts(tx) if reserved else {}
    for creator_id, parts in reserved.items():
        _reserve(tx, rules, run.id, creator_id, parts, destinations.get(creator_id), at)
    return run.id


def _reserve(
    tx: Session,
    rules: Rules,
    run_id: int,
    creator_id: int,
    parts: list[dues.Part],
    destination: str | None,
    at: datetime,
) -> None:
    """One payout for a creator, drawn from every person whose accounts were merged into them."""
    whole = rules.money.floor(sum(max(0, part.micros) for part in parts))
    # A fraction of a minor unit cannot be paid: however old, it hurries nothing.
    old = rules.money.floor(sum(max(0, part.old_micros) for part in parts))
    hurry = old > 0 or any(part.gone for part in parts)
    if whole < (rules.money.minor_micros if hurry else rules.payout_min_micros):
        return
    payout = Payout(run_id=run_id, creator_id=creator_id, amount_micros=whole, destination=destination, asked_at=at)
    tx.add(payout)
    tx.flush()
    left = whole
    for part in parts:
        taken = min(left, max(0, part.micros))
        ledger.post(
            tx, kind="payout", source=f"payout:{payout.id}:{part.person_id}", at=at,
            debit=ledger.creator(part.person_id), credit=ledger.TRANSIT, amount_micros=taken,
        )  # fmt: skip
        left -= taken


def send(db: Database, rules: Rules, gateway: Gateway, at: datetime) -> int:
    """Send every payout that has no answer yet and finish runs that have none left; the number of calls made.

    Those that may have been asked for come first: their money may be gone already. Of the others only what the
    available balance covers is sent. One that fails by a bug is put off, and the rest go on.
    """
    made = 0
    for choose in (affording.unanswered, affording.affordable):
        payout_ids = choose(db, rules, gateway, at)
        for first in range(0, len(payout_ids), BATCH):
            with db.transaction() as tx:
                requests = _ask(tx, rules, payout_ids[first : first + BATCH], at)
            for request, outcome in calling.answers(gateway.transfer, requests, at, at_once=gateway.at_once):
                keep = partial(_record, rules=rules, payout_id=request.payout_id, at=at)
                calling.keep(db, keep, outcome, f"recording payout {request.payout_id}")
            made += len(requests)
    with db.transaction() as tx:
        unsent = sa.exists().where(col(Payout.run_id) == col(PayoutRun.id), col(Payout.state) == "asked")
        tx.execute(sa.update(PayoutRun).where(col(PayoutRun.finished_at).is_(None), ~unsent).values(finished_at=at))
    return made


def _ask(tx: Session, rules: Rules, payout_ids: list[int], at: datetime) -> list[TransferRequest]:
    """Note that these are asked for now; the requests to make, of those that are still to be sent."""
    query = select(Payout).where(col(Payout.id).in_(payout_ids), *affording.due(at)).order_by(col(Payout.id))
    rows = tx.exec(query.with_for_update().execution_options(populate_existing=True)).all()
    for payout in rows:
        payout.calls += 1
    tx.flush()
    return [
        TransferRequest(
            payout_id=payout.id or 0,
            attempt=payout.attempt,
            creator_id=payout.creator_id,
            amount_minor=rules.money.minor(payout.amount_micros),
            currency=rules.money.code,
            destination=payout.destination,
            asked_before=payout.calls > 1,
        )
        for payout in rows
    ]


def _record(tx: Session, outcome: Outcome, *, rules: Rules, payout_id: int, at: datetime) -> None:
    record(tx, rules, payout_id, outcome, at)


def record(tx: Session, rules: Rules, payout_id: int, outcome: Outcome, at: datetime) -> None:
    """Take the gateway's answer about a payout into the books; a second answer changes nothing."""
    payout = tx.get_one(Payout, payout_id, with_for_update=True, populate_existing=True)
    if payout.state != "asked":
        return
    match outcome:
        case Done(reference):
            payout.state, payout.reference, payout.answered_at = "sent", reference, at
            ledger.post(
                tx, kind="sent", source=f"payout:{payout_id}", at=at,
                debit=ledger.TRANSIT, credit=ledger.STRIPE, amount_micros=payout.amount_micros,
            )  # fmt: skip
        case Refused(reason, passes=True):
            # A definite no, so it is asked for anew; hence as one that was never asked before.
            payout.reason, payout.asked_at = reason, at + rules.retry_unknown
            payout.attempt, payout.calls = payout.attempt + 1, 0
            return
        case Refused(reason):
            payout.state, payout.reason, payout.answered_at = "refused", reason, at
            reserved = tx.execute(
                sa.text("select source, debit, amount_micros from posting where kind = 'payout' and source like :of"),
                {"of": f"payout:{payout_id}:%"},
            )
            for source, account, micros in reserved.all():
                ledger.post(
                    tx, kind="payout_back", source=source, at=at,
                    debit=ledger.TRANSIT, credit=account, amount_micros=micros,
                )  # fmt: skip
        case Unknown(reason):
            payout.reason, payout.asked_at = reason, at + rules.retry_unknown
            return
    outbox.put(tx, kind="payout", source=f"payout:{payout_id}", at=at, person_id=payout.creator_id)


def hurry(tx: Session, rules: Rules, at: datetime) -> int:
    """Money became available: what waits for it is asked for now; how many payouts that are.

    Not those without an answer, which wait for something else.
    """
    waiting = sa.update(Payout).where(col(Payout.state) == "asked", col(Payout.calls) == 0, col(Payout.asked_at) > at)
    return tx.exec(waiting.values(asked_at=at).execution_options(synchronize_session="fetch")).rowcount


def learn(tx: Session, rules: Rules, state: TransferState, at: datetime) -> None:
    """Take in how a transfer stands at the processor: that it was made, and what of it was taken back.

    What was taken back is due to the creator again, and they are told; the same again changes nothing. A transfer
    that is none of this hub's payouts is passed over. ValueError for one that the books cannot agree with.
    """
    payout = tx.exec(select(Payout).where(Payout.reference == state.reference)).one_or_none()
    if payout is None and state.payout_id is not None:
        payout = tx.get(Payout, state.payout_id)
    if payout is None or payout.id is None:
        return
    if payout.amount_micros != state.amount_minor * rules.money.minor_micros:
        raise ValueError(f"transfer {state.reference} has another amount than payout {payout.id}; look at both")
    record(tx, rules, payout.id, Done(state.reference), at)
    if payout.reference != state.reference:
        raise ValueError(f"payout {payout.id} is {payout.state}, but transfer {state.reference} was made for it too")
    for reference, amount_minor in state.reversals:
        micros = amount_minor * rules.money.minor_micros
        if ledger.post(
            tx, kind="sent_back", source=reference, at=at,
            debit=ledger.STRIPE, credit=ledger.creator(payout.creator_id), amount_micros=micros,
        ):  # fmt: skip
            _tell_reversed(tx, rules, payout, reference, micros, at)
    if sum(minor for _, minor in state.reversals) >= state.amount_minor:
        payout.state = "reversed"


def _tell_reversed(tx: Session, rules: Rules, payout: Payout, reference: str, micros: int, at: datetime) -> None:
    text = (
        f"{show(micros, rules.money)} of your payout of {show(payout.amount_micros, rules.money)} were taken back from"
        " your account with the payment processor. You are owed them again, and the next payout run sends them."
    )
    source = f"payout_reversed:{reference}"
    outbox.put(tx, kind="payout_reversed", source=source, at=at, person_id=payout.creator_id, text=text)


def reverse(db: Database, rules: Rules, gateway: Gateway, payout_id: int, at: datetime) -> Outcome:
    """Take a payout back from the creator's account (an operator's decision); what came back is due to them again.

    Only what their balance at the processor covers can be taken (else Refused). All that is left of it is; what was
    taken back before is looked up first, so that a lost answer is not followed by a second taking. ValueError, with
    what to do instead, for a payout that was not sent or a processor that takes nothing back.
    """
    with db.reading() as tx:
        payout = tx.get(Payout, payout_id)
    if payout is None or payout.state not in ("sent", "reversed") or payout.reference is None:
        state = payout.state if payout else "unknown"
        raise ValueError(f"payout {payout_id} is {state}; only one that was sent can be taken back")
    if not isinstance(gateway, HostedGateway):
        raise ValueError(f"{gateway.name} takes nothing back; this needs a real payment processor")
    before = _look(db, rules, gateway, payout.reference, at)
    left = before.amount_minor - sum(minor for _, minor in before.reversals)
    if left <= 0:
        return Done(before.reversals[-1][0])
    number = len(before.reversals) + 1
    outcome = gateway.reverse(payout.reference, left, key=f"trr-{payout_id}-{number}")
    _look(db, rules, gateway, payout.reference, at)
    with db.transaction() as tx:
        told = outcome.reference if isinstance(outcome, Done) else outcome.reason
        audit.note(tx, at, "operator", "reverse", f"payout {payout_id}, {left} minor units: {told}")
    return outcome


def _look(db: Database, rules: Rules, gateway: HostedGateway, reference: str, at: datetime) -> TransferState:
    state = gateway.look_at_transfer(reference)
    if state is None:
        raise ValueError(f"the processor knows no transfer {reference}; was the hub moved to another account there?")
    with db.transaction() as tx:
        learn(tx, rules, state, at)
    return state
