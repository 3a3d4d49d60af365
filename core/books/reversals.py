"""Takes back collected money that went back to a patron (refunds, disputes), and gives it again when it returns.

The loss is borne by the statement's dues that are not paid out yet, then the hub's income, then its loss account.
A creator is never asked to pay back (money.md, "Payout run"). Nothing is edited: all of it is opposite postings, and
what they are told by is the start of their source, the processor's object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa
from sqlmodel import Session, select

from core.books import ledger
from core.books.tables import Posting
from core.database import take_turns
from core.holds.tables import Hold
from core.months import dues
from core.months.tables import Statement

_GONE = """
select coalesce(sum(case when kind = 'charge_back' then amount_micros else -amount_micros end), 0)
  from posting where kind in ('charge_back', 'charge_again') and source like '%/statement:' || :statement
"""

# Every posting that made a share more or less, with its own number, which tells whether it was before a payout.
_PIECES = f"""
with piece as (select {dues.FLATTR} as flattr_id, id,
                      case kind when 'share_again' then amount_micros else -amount_micros end as micros
                 from posting where kind in ('share_back', 'share_again', 'void')
               union all
               select h.flattr_id, p.id, p.amount_micros
                 from share h join posting p on p.kind = 'share' and p.source = 'flattr:' || h.flattr_id
                where h.statement_id = :statement)
select h.flattr_id, h.creator_id, e.id, e.micros
  from share h join piece e on e.flattr_id = h.flattr_id
 where h.statement_id = :statement order by h.flattr_id, e.id
"""  # noqa: S608 - made of the package's constants

_TAKEN = """
select kind, source, debit, credit, amount_micros from posting
 where kind in ('share_back', 'fee_back', 'loss', 'share_again', 'fee_again', 'loss_again') and source like :of
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """A share of a statement as the books have it now; amounts in micros."""

    flattr_id: int
    account: int
    left_micros: int
    """What of it was not taken back."""
    unpaid_micros: int
    """Of that, what was not paid out."""


def left(tx: Session, statement: Statement) -> int:
    """What of a collected statement's charge did not go back to the patron, in micros."""
    gone = tx.execute(sa.text(_GONE), {"statement": str(statement.id)}).scalar_one()
    return statement.charge_micros - int(gone)


def paid_out(tx: Session, statement: Statement) -> bool:
    """Whether any of a collected statement's shares was paid to its creator, or is on its way."""
    return any(share.unpaid_micros < share.left_micros for share in _shares(tx, statement))


def take_back(
    tx: Session, *, statement_id: int, amount_micros: int, source: str, at: datetime, only: frozenset[int] | None = None
) -> bool:
    """Post what a refund or dispute took from a collected statement; False if it was posted before.

    ``source`` is the processor's object (two partial refunds are two objects). What exceeds the charge (a refund and
    a dispute of the same money) is the hub's loss. ``only``: the flattrs whose shares are taken, whole; else all in
    proportion. ValueError if the statement was never collected or there is no amount; then nothing is posted.
    """
    # Locked, so that two takings cannot both find the same money left.
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    take_turns(tx, "dues")
    if statement.state != "collected" or amount_micros <= 0:
        raise ValueError(f"statement {statement_id} ({statement.state}) has no {amount_micros} micros to take back")
    undone, over = f"{source}/statement:{statement_id}", f"{source}/over/statement:{statement_id}"
    if _posted(tx, "charge_back", undone) or _posted(tx, "loss", over):
        return False
    there = left(tx, statement)
    within = min(amount_micros, there)
    clearing = ledger.patron(statement.patron_id)
    ledger.post(
        tx, kind="charge_back", source=undone, at=at, debit=clearing, credit=ledger.STRIPE, amount_micros=within
    )
    ledger.post(
        tx, kind="loss", source=over, at=at,
        debit=ledger.LOSS, credit=ledger.STRIPE, amount_micros=amount_micros - within,
    )  # fmt: skip
    missing = within
    owed: dict[int, int] = {}
    for share in _shares(tx, statement) if within else ():
        if share.account not in owed:
            owed[share.account] = ledger.owed(tx, share.account)
        if only is None:
            # Of what is left of the charge this part goes, so that parts add up to the whole share.
            wanted = share.left_micros * within // there
        else:
            wanted = share.left_micros if share.flattr_id in only else 0
        taken = min(wanted, share.unpaid_micros, max(0, owed[share.account]), missing)
        ledger.post(
            tx, kind="share_back", source=f"{source}/flattr:{share.flattr_id}", at=at,
            debit=share.account, credit=clearing, amount_micros=taken,
        )  # fmt: skip
        owed[share.account] -= taken
        missing -= taken
    earned = min(missing, max(0, ledger.owed(tx, ledger.INCOME)))
    for kind, account, micros in (
        ("fee_back", ledger.INCOME, earned),
        ("loss", ledger.LOSS, missing - earned),
    ):
        ledger.post(tx, kind=kind, source=undone, at=at, debit=account, credit=clearing, amount_micros=micros)
    return True


def give_again(tx: Session, *, statement_id: int, amount_micros: int, of: str, source: str, at: datetime) -> bool:
    """Post what came back of what `take_back` took: a dispute won, a refund that failed; False if it was posted before.

    ``of`` is the start of the sources concerned (``DP_ID#``, ``RE_ID/``), ``source`` the object that brings it. The
    same accounts get it back, all if all of it came, else in proportion; what had exceeded the charge comes first.
    ValueError if there is no amount or more than was taken; then nothing is posted.
    """
    statement = tx.get_one(Statement, statement_id, with_for_update=True, populate_existing=True)
    take_turns(tx, "dues")
    again, over = f"{source}/statement:{statement_id}", f"{source}/over/statement:{statement_id}"
    if _posted(tx, "charge_again", again) or _posted(tx, "loss_again", over):
        return False
    taken = _taken(tx, of)
    _, excess = taken.pop(("loss_again", f"/over/statement:{statement_id}"), (0, 0))
    within = sum(micros for _, micros in taken.values())
    if not 0 < amount_micros <= excess + within:
        raise ValueError(f"of {of} there are {excess + within} micros to be given again, not {amount_micros}")
    clearing = ledger.patron(statement.patron_id)
    first = min(amount_micros, excess)
    rest = amount_micros - first
    ledger.post(tx, kind="loss_again", source=over, at=at, debit=ledger.STRIPE, credit=ledger.LOSS, amount_micros=first)
    ledger.post(tx, kind="charge_again", source=again, at=at, debit=ledger.STRIPE, credit=clearing, amount_micros=rest)
    reached = 0
    for (kind, place), (account, micros) in taken.items():
        # By what it all came to before and after, so that the parts add up, and none is more than was taken.
        part = rest * (reached + micros) // within - rest * reached // within
        ledger.post(tx, kind=kind, source=f"{source}{place}", at=at, debit=clearing, credit=account, amount_micros=part)
        reached += micros
    return True


def _posted(tx: Session, kind: str, source: str) -> bool:
    return tx.exec(select(Posting.id).where(Posting.kind == kind, Posting.source == source)).first() is not None


def _taken(tx: Session, of: str) -> dict[tuple[str, str], tuple[int, int]]:
    """What was taken and not given again yet: the account and micros, by the kind that gives and its source's end."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, source, debit, credit, micros in tx.execute(sa.text(_TAKEN), {"of": f"{of}%"}):
        if not source.startswith(of):
            continue  # an underscore in the pattern stands for any character
        back, place = not kind.endswith("_again"), source[source.index("/") :]
        key = (f"{kind.removesuffix('_back').removesuffix('_again')}_again", place)
        _, before = found.get(key, (0, 0))
        found[key] = (debit, before + micros) if back else (credit, before - micros)
    return {key: each for key, each in sorted(found.items()) if each[1]}


def _shares(tx: Session, statement: Statement) -> list[_Share]:
    """The shares of a collected statement as they are now, in the order of their flattrs."""
    holds = {
        hold.creator_id: hold
        for hold in tx.exec(select(Hold).where(Hold.month == statement.month, Hold.patron_id == statement.patron_id))
    }
    reaches: dict[int, dues.Reach] = {}
    found: list[_Share] = []
    pieces = tx.execute(sa.text(_PIECES), {"statement": statement.id}).all()
    for (flattr_id, creator_id), rows in groupby(pieces, key=lambda row: (row[0], row[1])):
        account = ledger.creator(creator_id)
        if account not in reaches:
            reaches[account] = dues.reach(tx, account)
        reach = reaches[account]
        moved = [(posting_id, int(micros)) for _, _, posting_id, micros in rows]
        left_micros = sum(micros for _, micros in moved)
        if _waited(statement, holds.get(creator_id), reach):
            unpaid = left_micros
        else:  # a payout took all there was, so that only what came after it is still there
            unpaid = max(0, sum(micros for posting_id, micros in moved if posting_id > reach.posting_id))
        found.append(_Share(flattr_id=flattr_id, account=account, left_micros=left_micros, unpaid_micros=unpaid))
    return found


def _waited(statement: Statement, hold: Hold | None, reach: dues.Reach) -> bool:
    """Whether the shares were left out of the creator's last payout, and of those before."""
    if reach.paid_at is None:
        return True
    if hold is not None:
        if hold.state != "released":
            return True
        assert hold.decided_at is not None
        if hold.decided_at > reach.paid_at:
            return True
    assert statement.collected_at is not None
    return statement.early and (reach.early_until is None or statement.collected_at > reach.early_until)
