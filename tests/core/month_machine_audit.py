"""What became of the money, told once more from what happened and in which order, held against ledger and Stripe.

The ledger is only asked what happened when: this was collected, that payout reserved, this refund heard of. How much
each of these moved is computed here: from the oracle's bills, from what Stripe has, and from money.md's rule of who
bears what goes back (unpaid dues of that statement first, then income, then loss; never a creator's pocket).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from sqlmodel import Session, select

from core.books.tables import Posting
from core.holds.tables import Hold
from core.months.tables import Payout, PayoutRun, Statement
from core.returns.tables import Refund
from tests.core.month_machine_facts import numbers_of
from tests.core.month_machine_oracle import Oracle
from tests.platforms.stripe.fake import FakeStripe


@dataclass(eq=False)
class Share:
    """What a collected flattr brought, and what is left of it; micros."""

    flattr: int
    creator: int
    paid: Paid
    left: int
    unpaid: int


@dataclass(eq=False)
class Paid:
    """A collected statement."""

    statement: Statement
    at: datetime
    there: int
    shares: list[Share] = field(default_factory=list)


@dataclass(eq=False)
class Taken:
    """What a refund or dispute took."""

    paid: Paid
    within: int
    of: list[tuple[Share, int]]


@dataclass(eq=False)
class Audit:
    """Goes through everything that happened, in its order."""

    tx: Session
    oracle: Oracle
    stripe: FakeStripe
    due: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Of creators."""
    collected: dict[int, Paid] = field(default_factory=dict)
    took: dict[int, list[tuple[Share, int]]] = field(default_factory=dict)
    """What each payout took of which shares."""
    took_of: dict[int, int] = field(default_factory=dict)
    returned: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """What of each payout was reversed."""
    taken: dict[str, Taken] = field(default_factory=dict)
    vague: set[int] = field(default_factory=set)
    """Creators of whom an earlier payout came back after a later one: what of their money is paid, nobody can say."""

    def __post_init__(self) -> None:
        self.unit = self.oracle.rules.money.minor_micros
        self.payouts = {int(each.id or 0): each for each in self.tx.exec(select(Payout))}
        self.holds = {(h.month, h.patron_id, h.creator_id): h for h in self.tx.exec(select(Hold))}
        self.refunds = {each.reference: each for each in self.tx.exec(select(Refund)) if each.reference}
        self.runs = list(self.tx.exec(select(PayoutRun).order_by(PayoutRun.id)))
        starts = [None, *(run.started_at for run in self.runs)]
        self.previous = {run.id: before for run, (before, _) in zip(self.runs, pairwise(starts), strict=True)}
        self.postings = list(self.tx.exec(select(Posting).order_by(Posting.id)))
        self.told = {(each.kind, each.source): each.amount_micros for each in self.postings}

    def replay(self) -> None:
        runs = list(self.runs)
        for posting in self.postings:
            while runs and (
                posting.at > runs[0].started_at or (posting.at == runs[0].started_at and posting.kind == "payout")
            ):
                self._run_began(runs.pop(0))
            match posting.kind:
                case "charge":
                    self._collected(posting)
                case "payout":
                    self._reserved(posting)
                case "payout_back":
                    self._refused(posting)
                case "sent_back":
                    self._reversed(posting)
                case "charge_back" | "loss":
                    self._taken(posting)
                case "charge_again" | "loss_again":
                    self._given_again(posting)
                case "void":
                    self._voided(posting)

    # In

    def _collected(self, posting: Posting) -> None:
        statement = self.tx.get_one(Statement, int(posting.source.split(":")[1]))
        bill = self.oracle.bills[statement.patron_id, statement.month]
        assert posting.amount_micros == bill.charge == self.unit * self.stripe.charged(statement.id)
        paid = self.collected[int(statement.id or 0)] = Paid(statement, posting.at, bill.charge)
        numbers = numbers_of(self.tx, statement.patron_id, statement.month)
        for thing, micros in bill.shares.items():
            flattr = self.oracle.flattrs[statement.patron_id, thing, statement.month]
            creator = self.oracle.payable[statement.month][flattr.author]
            paid.shares.append(Share(numbers[thing], creator, paid, micros, micros))
            self.due[creator] += micros
        paid.shares.sort(key=lambda share: share.flattr)

    # Out

    def _may_be_paid(self, creator: int, run: PayoutRun) -> tuple[int, list[Share]]:
        """What a run pays a creator, in whole minor units, and the shares that it includes."""
        included, waits = [], 0
        for share in [each for paid in self.collected.values() for each in paid.shares if each.creator == creator]:
            if self._waits(share, run):
                waits += share.left
            else:
                included.append(share)
        whole = max(0, self.due[creator] - waits)
        return whole - whole % self.unit, included

    def _waits(self, share: Share, run: PayoutRun) -> bool:
        hold = self._hold_of(share)
        if hold is not None and (hold.state != "released" or (hold.decided_at and hold.decided_at > run.started_at)):
            return True
        before = self.previous[run.id]
        return share.paid.statement.early and (before is None or share.paid.at > before)

    def _hold_of(self, share: Share) -> Hold | None:
        statement = share.paid.statement
        return self.holds.get((statement.month, statement.patron_id, share.creator))

    def _run_began(self, run: PayoutRun) -> None:
        """Whoever has enough gets a payout."""
        for creator in self.oracle.payees[run.id or 0]:
            whole, _ = self._may_be_paid(creator, run)
            if whole >= self.oracle.rules.payout_min_micros:
                assert (run.id, creator) in {(each.run_id, each.creator_id) for each in self.payouts.values()}

    def _reserved(self, posting: Posting) -> None:
        number, creator = (int(part) for part in posting.source.split(":")[1:])
        payout = self.payouts[number]
        run = next(run for run in self.runs if run.id == payout.run_id)
        whole, included = self._may_be_paid(creator, run)
        assert payout.creator_id == creator
        assert payout.amount_micros == posting.amount_micros == whole
        if whole < self.oracle.rules.payout_min_micros:  # only what is old, or of who has left
            old = run.started_at - timedelta(days=self.oracle.rules.pending_days)
            assert creator in self.oracle.left or any(share.paid.at <= old for share in included)
        self.due[creator] -= whole
        self.took[number], self.took_of[number] = [(share, share.unpaid) for share in included], creator
        for share in included:
            share.unpaid = 0

    def _refused(self, posting: Posting) -> None:
        number = int(posting.source.split(":")[1])
        self.due[self.took_of[number]] += posting.amount_micros
        assert posting.amount_micros == self.payouts[number].amount_micros
        self._comes_back(number)

    def _reversed(self, posting: Posting) -> None:
        reversal = self.stripe.objects[posting.source]
        number = int(self.stripe.objects[reversal["transfer"]]["metadata"]["payout"])
        assert posting.amount_micros == reversal["amount"] * self.unit
        self.due[self.took_of[number]] += posting.amount_micros
        self.returned[number] += posting.amount_micros
        if self.returned[number] >= self.payouts[number].amount_micros:
            self._comes_back(number)

    def _comes_back(self, number: int) -> None:
        """What a payout had taken is due again, and unpaid."""
        creator = self.took_of[number]
        if any(each > number and of == creator for each, of in self.took_of.items()):
            self.vague.add(creator)
        for share, micros in self.took.pop(number):
            share.unpaid += micros
        del self.took_of[number]

    # Back to the patron

    def _taken(self, posting: Posting) -> None:
        source, place = posting.source.split("/", 1)
        if source in self.taken or (posting.kind == "loss" and not place.startswith("over/")):
            return
        paid = self.collected[int(posting.source.rsplit(":", 1)[1])]
        amount = self.stripe.objects[source.split("#")[0]]["amount"] * self.unit
        within = min(amount, paid.there)
        only = self._under_hold(source)
        missing, of = within, []
        for share in paid.shares if within else ():
            # All in the same proportion, or, under a hold, its own shares whole.
            wanted = share.left * within // paid.there if only is None else share.left * (share in only)
            micros = min(wanted, share.unpaid, max(0, self.due[share.creator]), missing)
            told = self.told.get(("share_back", f"{source}/flattr:{share.flattr}"), 0)
            if share.creator in self.vague:
                assert 0 <= told <= min(wanted, max(0, self.due[share.creator]), missing)
                micros = told
            assert told == micros, posting.source
            share.left -= micros
            share.unpaid = max(0, share.unpaid - micros)
            self.due[share.creator] -= micros
            missing -= micros
            of.append((share, micros))
        paid.there -= within
        place = f"{source}/statement:{paid.statement.id}"
        assert missing == sum(self.told.get((kind, place), 0) for kind in ("fee_back", "loss"))
        self.taken[source] = Taken(paid, within, of)

    def _under_hold(self, source: str) -> list[Share] | None:
        refund = self.refunds.get(source)
        if refund is None or refund.hold_id is None:
            return None
        hold = self.tx.get_one(Hold, refund.hold_id)
        return [share for share in self.collected[refund.statement_id].shares if self._hold_of(share) is hold]

    def _given_again(self, posting: Posting) -> None:
        """All of it, always: disputes are won whole, and a refund fails whole."""
        source = posting.source.split("/", 1)[0]
        dispute, mark, _ = source.partition("#")
        found = [each for each in self.taken if each == source or (mark and each.startswith(f"{dispute}#"))]
        if not found:
            return  # the second posting of the same
        (of,) = found
        taken = self.taken.pop(of)
        taken.paid.there += taken.within
        for share, micros in taken.of:
            share.left += micros
            share.unpaid += micros
            self.due[share.creator] += micros

    def _voided(self, posting: Posting) -> None:
        flattr = int(posting.source.rsplit(":", 1)[1])
        (share,) = [each for paid in self.collected.values() for each in paid.shares if each.flattr == flattr]
        assert posting.amount_micros == share.left < self.unit
        hold = self._hold_of(share)
        assert hold is not None
        assert hold.state == "voided"
        self.due[share.creator] -= share.left
        share.left = share.unpaid = 0
