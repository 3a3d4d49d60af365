"""What the page shows of the hub's books, read through the core."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from core.books import invariants, ledger
from core.books.tables import Posting
from core.database import Database
from core.events import AccountRef
from core.money import Currency, plain, show
from core.months import stages, statements, worth
from core.people import cards, persons
from core.people.tables import Account, Person
from core.periods import month_of, month_start
from core.rules import Rules
from pages.sandbox.cast import COST_TONE, FEE_TONE, TONES
from pages.sandbox.memory import NETWORKS
from pages.sandbox.views import (
    LIKELY,
    BooksView,
    Chip,
    CreatorRow,
    LikeRow,
    Mine,
    PostingRow,
    ShareRow,
    StatementView,
    slices,
)

POSTINGS = 60
"""How many movements of the ledger the page shows."""

STATES = {
    "review": "in review",
    "due": "card still to be charged",
    "collected": "collected",
    "lapsed": "not collected: the shares have lapsed",
    "void": "nothing to charge",
}


@dataclass(frozen=True, slots=True)
class _Names:
    """What persons with a pretend account are called and coloured; other people are not shown."""

    by_person: dict[int, str]
    former: dict[int, int]
    """Persons who were merged, and into whom: what was posted to them stays where it is."""

    def root(self, person_id: int) -> int:
        return self.former.get(person_id, person_id)

    def name(self, person_id: int) -> str:
        return self.by_person.get(self.root(person_id), f"person {person_id}")

    def tone(self, person_id: int) -> int:
        return TONES.get(self.name(person_id), 0)

    def account(self, number: int) -> str:
        person, kind = divmod(number, 8)
        return f"{ledger.KINDS[kind]} {self.name(person)}" if person else ledger.describe(number)


class Books:
    """Reads the books of everybody who has an account on a pretend network, and of nobody else."""

    def __init__(self, db: Database, rules: Rules, *, hosted: bool = False, skips: bool = True) -> None:
        self._db = db
        self._rules = rules
        self._hosted = hosted
        self._skips = skips

    def view(self, ref: AccountRef, at: datetime) -> BooksView:
        """The books as they are shown to the person who is playing as an account."""
        with self._db.reading() as tx:
            names = _names(tx)
            person = persons.person_of(tx, ref)
            me = None if person is None or person.id is None else persons.root_id(tx, person.id)
            posted, postings = self._postings(tx, names)
            return BooksView(
                mine=self._mine(tx, me, at),
                months=[(_name(month.id), month.stage) for month in stages.months(tx)],
                statements=self._statements(tx, names, me, at),
                creators=self._creators(tx, names, at),
                income=show(ledger.owed(tx, ledger.INCOME), self._rules.money),
                postings=postings,
                posted=posted,
                joined=_joined(tx),
                broken=[str(violation) for violation in invariants.broken(tx)],
                hosted=self._hosted,
                skips=self._skips,
            )

    def _mine(self, tx: Session, me: int | None, at: datetime) -> Mine:
        if me is None:
            return Mine(month=_name(month_of(at)))
        money = self._rules.money
        status = worth.status(tx, self._rules, me, at)
        rows = [
            LikeRow(
                title=line.title or _short(line.url),
                url=line.url,
                creator=line.creator,
                chip=Chip(f"worth {_about(line.worth_micros, money)} now", "good")
                if line.state == "counts"
                else LIKELY[line.state],
            )
            for line in status.lines
        ]
        return Mine(
            month=_name(status.month),
            budget=show(status.budget_micros, money) if status.budget_micros else None,
            has_card=cards.card_of(tx, me) is not None,
            card_hint="Now enter a test card: say card."
            if self._hosted
            else "Now choose a pretend card: say card 4242.",
            counting=status.counting,
            pending=status.pending,
            charge=show(status.charge_micros, money),
            fee=show(status.fee_micros, money),
            each=_about(status.each_micros, money),
            rows=tuple(rows),
            chips={row.url: row.chip for row in rows},
        )

    def _statements(self, tx: Session, names: _Names, me: int | None, at: datetime) -> list[StatementView]:
        found = [
            (month, person_id)
            for person_id in (*names.by_person, *names.former)
            for month in statements.statement_months(tx, person_id)
        ]
        found.sort(key=lambda each: (-each[0], names.root(each[1]) != me))
        views = []
        for month, person_id in found:
            statement = statements.patron_statement(tx, self._rules, person_id, month, at)
            if statement is not None:
                views.append(self._statement(names, statement, person_id, mine=names.root(person_id) == me))
        return views

    def _statement(
        self, names: _Names, statement: statements.PatronStatement, person_id: int, *, mine: bool
    ) -> StatementView:
        money = self._rules.money
        likes = Counter(share.creator_id for share in statement.shares)
        sums: Counter[int] = Counter()
        for share in statement.shares:
            sums[share.creator_id] += share.micros
        parts = [
            (names.name(creator), show(micros, money), likes[creator], micros, names.tone(creator))
            for creator, micros in sums.most_common()
        ]
        for name, micros, tone in (
            ("fee", statement.fee_micros, FEE_TONE),
            ("card", statement.cost_micros, COST_TONE),
        ):
            if micros:
                parts.append((name, show(micros, money), 0, micros, tone))
        amounts = Counter(share.micros for share in statement.shares)
        terms = [f"{count} \N{MULTIPLICATION SIGN} {plain(micros, money)}" for micros, count in sorted(amounts.items())]
        terms += [f"{plain(statement.cost_micros, money)} card"] if statement.cost_micros else []
        terms += [f"{plain(statement.fee_micros, money)} fee"] if statement.fee_micros else []
        return StatementView(
            key=f"{statement.month}-{person_id}",
            month=_name(statement.month),
            patron=names.name(person_id),
            mine=mine,
            state=STATES[statement.state],
            good=statement.state == "collected",
            charge=show(statement.charge_micros, money),
            fee=show(statement.fee_micros, money),
            sum=f"{' + '.join(terms)} = {show(statement.charge_micros, money)}" if terms else "",
            slices=slices(parts) if statement.charge_micros else (),
            shares=tuple(
                ShareRow(
                    receipt=str(share.receipt),
                    title=share.title or _short(share.url),
                    url=share.url,
                    creator=names.name(share.creator_id),
                    amount=show(share.micros, money),
                )
                for share in statement.shares
            ),
        )

    def _creators(self, tx: Session, names: _Names, at: datetime) -> list[CreatorRow]:
        money = self._rules.money
        earned = []
        for person_id in names.by_person:
            person = tx.get(Person, person_id)
            if person is not None and person.receives_since is not None:
                earned.append((person_id, statements.earnings(tx, self._rules, person_id, at)))
        most = max((each.due_micros + each.paid_micros for _, each in earned), default=0) or 1
        earned.sort(key=lambda each: -(each[1].due_micros + each[1].paid_micros))
        return [
            CreatorRow(
                name=names.name(person_id),
                likes=each.open_flattrs,
                due=show(each.due_micros, money),
                waiting=show(each.waiting_micros, money) if each.waiting_micros else "",
                paid=show(each.paid_micros, money),
                share=1000 * (each.due_micros + each.paid_micros) // most,
            )
            for person_id, each in earned
        ]

    def _postings(self, tx: Session, names: _Names) -> tuple[int, list[PostingRow]]:
        # Only movements between people of the pretend networks and the hub itself: a hub that serves real
        # networks, too, shows nothing of them here.
        ours = [0, *names.by_person, *names.former]
        persons_of = [col(side) // 8 for side in (Posting.debit, Posting.credit)]
        query = select(Posting).where(*(person.in_(ours) for person in persons_of))
        total = tx.exec(select(func.count()).select_from(query.subquery())).one()
        rows = tx.exec(query.order_by(col(Posting.id).desc()).limit(POSTINGS)).all()
        return total, [
            PostingRow(
                at=f"{row.at:%Y-%m-%d %H:%M}",
                kind=row.kind,
                source=row.source,
                debit=names.account(row.debit),
                credit=names.account(row.credit),
                amount=show(row.amount_micros, self._rules.money),
            )
            for row in rows
        ]


def _names(tx: Session) -> _Names:
    accounts = tx.exec(
        select(Account).where(col(Account.platform).in_(list(NETWORKS)), col(Account.person_id).is_not(None))
    ).all()
    names: dict[int, str] = {}
    for account in accounts:
        if account.person_id is not None:
            root = persons.root_id(tx, account.person_id)
            names.setdefault(root, (account.handle or account.account_id).strip())
    merged = tx.exec(select(Person.id).where(col(Person.merged_into_id).is_not(None))).all()
    roots = {person_id: persons.root_id(tx, person_id) for person_id in merged if person_id is not None}
    return _Names(names, {old: root for old, root in roots.items() if root in names})


def _joined(tx: Session) -> set[str]:
    query = (
        select(Account)
        .join(Person, col(Person.id) == col(Account.person_id))
        .where(col(Account.platform).in_(list(NETWORKS)), col(Person.receives_since).is_not(None))
    )
    return {str(account) for account in tx.exec(query).all()}


def _name(month: int) -> str:
    return f"{month_start(month):%B %Y}"


def _about(micros: int, money: Currency) -> str:
    """An amount that still changes, in whole minor units; what is settled is never rounded."""
    rest = micros % money.minor_micros
    if not rest:
        return show(micros, money)
    return f"about {show(money.floor(micros + money.minor_micros // 2), money)}"


def _short(url: str) -> str:
    return url.removeprefix("https://")
