"""What the pages of statements show: read through the core, ready to print. Synchronous, for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.books import month_book
from core.books.month_book import Proof
from core.holds import held
from core.holds.held import Held
from core.money import plain, show
from core.months import statements
from core.months.statements import PatronStatement
from core.people import persons
from core.periods import month_name, month_start
from core.rules import Rules
from core.statements import as_csv, as_json, earned, years
from core.statements.as_csv import NO_PROOFS, Proofs
from core.statements.earned import CreatorStatement
from core.statements.plain import is_web, one_line
from core.statements.years import CreatorYear, PatronYear
from pages.statements import picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One statement of one side, with what finds its receipts in the month's book."""

    key: str
    """How its address ends: ``2026-11``; after two persons were merged, ``2026-11-2`` for the second's."""
    found: PatronStatement | CreatorStatement
    proofs: Proofs
    holds: tuple[Held, ...]

    @property
    def name(self) -> str:
        """``November 2026``."""
        return spoken(self.found.month)

    def proof(self, flattr_id: int) -> Proof | None:
        """What finds a share."""
        return self.proofs.get(("share", f"flattr:{flattr_id}"))


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing's name, and where it is if that may be a link."""

    name: str
    url: str


class Reading:
    """One for the hub. ``book_key`` makes the proofs; None: there are none."""

    def __init__(
        self, *, rules: Rules, titles: Mapping[str, str], pretend: bool, book_key: bytes | None = None
    ) -> None:
        self.rules = rules
        self.money = rules.money
        self.titles = titles
        self.pretend = pretend
        self._key = book_key

    def months(self, tx: Session, page: str, person_id: int) -> list[int]:
        """The months of which there is something to show, the latest first."""
        if page == "earnings":
            return earned.earned_months(tx, person_id)
        people = persons.merged_ids(tx, person_id)
        return sorted({month for each in people for month in statements.statement_months(tx, each)}, reverse=True)

    def month(self, tx: Session, page: str, person_id: int, month: int, at: datetime) -> list[Month]:
        """What there is of a month; more than one statement only after a merge, empty if none."""
        people = persons.merged_ids(tx, person_id)
        if page == "earnings":
            mine = earned.creator_statement(tx, person_id, month)
            if not mine.lines and not mine.payouts:
                return []
            proofs = self._proofs(tx, [("share", f"flattr:{line.flattr_id}") for line in mine.lines])
            holds = held.held_of_creator(tx, people, month)
            return [Month(key=month_name(month), found=mine, proofs=proofs, holds=tuple(holds))]
        found = (statements.patron_statement(tx, self.rules, each, month, at) for each in people)
        made = []
        for number, one in enumerate((each for each in found if each is not None), 1):
            wanted = [("share", f"flattr:{share.flattr_id}") for share in one.shares]
            wanted += [(kind, f"statement:{one.id}") for kind in ("charge", "fee", "cost")]
            key = month_name(month) if number == 1 else f"{month_name(month)}-{number}"
            holds = held.held_of_patron(tx, people, month) if number == 1 else []
            made.append(Month(key=key, found=one, proofs=self._proofs(tx, wanted), holds=tuple(holds)))
        return made

    def year(self, tx: Session, page: str, person_id: int, year: int) -> PatronYear | CreatorYear:
        """The year sheet of one side."""
        made = years.creator_year if page == "earnings" else years.patron_year
        return made(tx, person_id, year)

    def _proofs(self, tx: Session, wanted: Sequence[tuple[str, str]]) -> Proofs:
        return month_book.proofs(tx, self._key, self.money, wanted) if self._key is not None else NO_PROOFS

    def file(self, what: Month | PatronYear | CreatorYear, kind: str) -> bytes:
        """A statement or year sheet as ``csv``, ``json`` or ``png`` (a patron's month only); LookupError for others."""
        match what, kind:
            case Month(found=PatronStatement() as found, proofs=proofs), "csv":
                return as_csv.patron_statement(found, self.money, proofs).encode()
            case Month(found=PatronStatement() as found, proofs=proofs), "json":
                return as_json.patron_statement(found, self.money, pretend=self.pretend, proofs=proofs).encode()
            case Month(found=PatronStatement() as found), "png":
                return picture.draw(found, money=self.money, titles=self.titles, pretend=self.pretend)
            case Month(found=CreatorStatement() as earned_, proofs=proofs), "csv":
                return as_csv.creator_statement(earned_, self.money, proofs).encode()
            case Month(found=CreatorStatement() as earned_, proofs=proofs), "json":
                return as_json.creator_statement(earned_, self.money, pretend=self.pretend, proofs=proofs).encode()
            case PatronYear(), "csv":
                return as_csv.patron_year(what, self.money).encode()
            case PatronYear(), "json":
                return as_json.patron_year(what, self.money, pretend=self.pretend).encode()
            case CreatorYear(), "csv":
                return as_csv.creator_year(what, self.money).encode()
            case CreatorYear(), "json":
                return as_json.creator_year(what, self.money, pretend=self.pretend).encode()
        raise LookupError(f"there is no {kind} of this")

    def show(self, micros: int) -> str:
        """An amount for people."""
        return show(micros, self.money)

    def plain(self, micros: int) -> str:
        """An amount without its currency, for tables."""
        return plain(micros, self.money)

    def alt(self, found: PatronStatement) -> str:
        """What the picture shows, in words."""
        return picture.alt(found, money=self.money, titles=self.titles)

    def title(self, network: str) -> str:
        """A network's name for people."""
        return self.titles.get(network, {"web": "the web"}.get(network, network))


def thing(title: str | None, url: str) -> Thing:
    """A thing as a page may show it: what others wrote on one line, and no link but to the web."""
    shown = url.partition("://")[2] if is_web(url) else url
    return Thing(one_line(title or "") or one_line(shown), url if is_web(url) else "")


def spoken(month: int) -> str:
    """``November 2026``."""
    return f"{month_start(month):%B %Y}"
