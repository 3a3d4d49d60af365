"""The operator's word on a hold: released, it goes out with the next payout run; voided, it goes back to the patron.

Both are logged, and told to both sides. What is void before it was collected goes back once it is (`settle`): the
patron is charged what the closing fixed, and gets this part of it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, select

from core.books import ledger
from core.database import take_turns
from core.holds.tables import Hold
from core.mail import outbox
from core.money import plain
from core.months import dues
from core.months.tables import Statement
from core.people import audit
from core.periods import month_name
from core.returns import refunds
from core.returns.tables import Refund
from core.rules import Rules


class Undecidable(Exception):
    """A hold that cannot be decided (again); the message names the reason."""


def find(tx: Session, hold_id: int, *, lock: bool = False) -> Hold:
    """A hold by its number; LookupError names the remedy."""
    hold = tx.get(Hold, hold_id, with_for_update=lock or None, populate_existing=lock)
    if hold is None:
        raise LookupError(f"there is no hold {hold_id}; `flattr holds list --all` shows what there is")
    return hold


def release(tx: Session, hold_id: int, *, by: str, note: str, at: datetime) -> Hold:
    """Let the creator have the money, from the next payout run on; LookupError, Undecidable.

    A voided one too, if its refund was refused and the money is still here.
    """
    hold = find(tx, hold_id, lock=True)
    if hold.state == "released":
        raise Undecidable(f"hold {hold_id} was released before")
    if hold.state == "voided":
        refund = refund_of(tx, hold_id)
        if refund is None or refund.state not in ("refused", "failed"):
            raise Undecidable(f"hold {hold_id} is void, and its money goes back to the patron")
        _tell_of_the_turn(tx, hold, at)
    return _decide(tx, hold, "released", by=by, note=note, at=at)


def void(tx: Session, rules: Rules, hold_id: int, *, by: str, note: str, at: datetime) -> Hold:
    """Give the patron back what is held, with its part of the fee; LookupError, Undecidable.

    A refund is asked for at once if the statement was collected, else once it is. What is below a minor unit cannot
    be sent back and becomes the hub's income: the creator has no claim to it, and the processor cannot move it.
    """
    hold = find(tx, hold_id, lock=True)
    if hold.state != "held":
        raise Undecidable(f"hold {hold_id} was {hold.state} before")
    _decide(tx, hold, "voided", by=by, note=note, at=at)
    _give_back(tx, rules, hold, at)
    return hold


def settle(tx: Session, rules: Rules, at: datetime) -> int:
    """Do what is left to do for voided holds whose statement has been collected; how many holds moved on."""
    if tx.exec(select(Hold.id).where(Hold.state == "voided").limit(1)).first() is None:
        return 0
    holds = [find(tx, hold_id, lock=True) for hold_id in tx.execute(sa.text(_UNFINISHED)).scalars().all()]
    for hold in holds:
        # All before the first turn at the dues: who has locked one of them waits for that turn.
        _statement(tx, hold)
    return sum(_give_back(tx, rules, hold, at) for hold in holds)


def refund_of(tx: Session, hold_id: int) -> Refund | None:
    """The refund of a voided hold, if it was asked for."""
    return tx.exec(select(Refund).where(Refund.hold_id == hold_id)).one_or_none()


_UNFINISHED = f"""
with back as ({dues.BACK})
select o.id
  from hold o
 cross join statement s
 cross join share h
  left join back b on b.flattr_id = h.flattr_id
  left join refund r on r.hold_id = o.id
 where o.state = 'voided' and s.month = o.month and s.patron_id = o.patron_id and s.state = 'collected'
   and h.statement_id = s.id and h.creator_id = o.creator_id and (r.id is null or r.state = 'sent')
 group by o.id having sum(h.micros - coalesce(b.micros, 0)) > 0
 order by o.id
"""  # noqa: S608 - made of the package's constants


@dataclass(frozen=True, slots=True)
class _Left:
    """A share of a hold: what was not taken back of it."""

    flattr_id: int
    micros: int


_LEFT = f"""
select h.flattr_id, h.micros - coalesce(b.micros, 0)
  from share h
  left join ({dues.BACK}) b on b.flattr_id = h.flattr_id
 where h.statement_id = :statement and h.creator_id = :creator order by h.flattr_id
"""  # noqa: S608 - made of the package's constants


def _give_back(tx: Session, rules: Rules, hold: Hold, at: datetime) -> bool:
    """Ask for the refund, or, once that is through, post the crumbs; False if there is nothing to do (yet)."""
    statement = _statement(tx, hold)
    if statement.state != "collected":
        return False
    refund = refund_of(tx, int(hold.id or 0))
    if refund is not None and refund.state != "sent":
        return False
    take_turns(tx, "dues")
    bound = {"statement": statement.id, "creator": hold.creator_id}
    left = [_Left(flattr_id, int(micros)) for flattr_id, micros in tx.execute(sa.text(_LEFT), bound) if micros > 0]
    micros = sum(share.micros for share in left)
    if refund is None:
        net = statement.charge_micros - statement.cost_micros - statement.fee_micros
        amount = rules.money.floor(micros + statement.fee_micros * micros // net)
        if amount:
            # Never more than is there; nothing at all while other refunds or disputes are at it.
            amount = min(amount, rules.money.floor(refunds.left(tx, statement)))
            if not amount:
                return False
            statement_id = int(statement.id or 0)
            refunds.ask(
                tx, rules, statement_id=statement_id, amount_micros=amount, reason="hold", at=at, hold_id=hold.id
            )
            return True
    for share in left:
        _to_income(tx, hold, share, at)
    if refund is not None and (whole := rules.money.floor(micros)):
        # Nothing that belongs to nobody may stay withheld, and one hold has one refund.
        sum_ = plain(whole, rules.money)
        what = f"{sum_} of hold {hold.id} came back after its refund: `flattr refund {statement.id} {sum_}`"
        audit.note(tx, at, "hub", "hold", f"{what} gives it to the patron")
    return bool(left)


def _to_income(tx: Session, hold: Hold, share: _Left, at: datetime) -> None:
    """Of one share more than once, where a dispute took money before the hold was void, and was won after it."""
    places = ("", *(f"#{number}" for number in range(2, 100)))
    any(
        ledger.post(
            tx, kind="void", source=f"hold:{hold.id}{place}/flattr:{share.flattr_id}", at=at,
            debit=ledger.creator(hold.creator_id), credit=ledger.INCOME, amount_micros=share.micros,
        )
        for place in places
    )  # fmt: skip


def _statement(tx: Session, hold: Hold) -> Statement:
    query = select(Statement).where(Statement.month == hold.month, Statement.patron_id == hold.patron_id)
    return tx.exec(query.with_for_update().execution_options(populate_existing=True)).one()


def _decide(tx: Session, hold: Hold, state: str, *, by: str, note: str, at: datetime) -> Hold:
    hold.state, hold.decided_by, hold.decided_at, hold.note = state, by, at, note
    tx.flush()
    audit.note(
        tx,
        at,
        by,
        "hold",
        f"{state} hold {hold.id}: {month_name(hold.month)}, patron {hold.patron_id}, creator {hold.creator_id},"
        f" {hold.micros} micros ({hold.reasons}){': ' if note else ''}{note}",
    )
    for side, person_id in (("patron", hold.patron_id), ("creator", hold.creator_id)):
        kind = f"hold_decided_{side}"
        outbox.put(tx, kind=kind, source=f"{kind}:{hold.id}", at=at, person_id=person_id)
    return hold


def _tell_of_the_turn(tx: Session, hold: Hold, at: datetime) -> None:
    """Both were told that it is void; once decided otherwise, that has to be said too."""
    text = (
        f"What was held of {month_name(hold.month)} and was to go back to the patron could not be sent back;"
        " it goes to the creator after all."
    )
    for person_id in (hold.patron_id, hold.creator_id):
        source = f"hold_turned:{hold.id}:{person_id}"
        outbox.put(tx, kind="hold_turned", source=source, at=at, person_id=person_id, text=text)
