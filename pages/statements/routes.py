"""The pages of statements and earnings: behind a personal address, one button, then half an hour in one browser."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from sqlmodel import Session

from core.access import visits
from core.database import Database
from core.periods import month_name, month_of, parse_month
from core.rules import Rules
from core.statements.plain import one_line
from core.statements.years import CreatorYear, PatronYear, year_of
from pages.forms import LOOPBACK, Forms
from pages.rendering import HEADERS, Pages
from pages.statements import words
from pages.statements.entrance import Closed, Entrance, Guest
from pages.statements.reading import Month, Reading, spoken, thing

PAGES = ("statement", "earnings")
"""The two pages; each is also the word to write for a new address."""

_TOKEN = "[A-Za-z0-9_-]{43}"  # noqa: S105 - its shape
_SESSION = re.compile(_TOKEN, re.ASCII)
_MONTH = re.compile(r"(?P<month>\d{4}-(?:0[1-9]|1[0-2]))(?:-(?P<number>[2-9]))?", re.ASCII)
_YEAR = re.compile(r"year/(?P<year>\d{4})", re.ASCII)
_WHAT = "[a-z0-9/-]{1,20}"
_LARGEST = 4096
"""Bytes of the form."""
_TYPES = {"csv": "text/csv", "json": "application/json", "png": "image/png"}


def add_routes(
    app: web.Application,
    *,
    db: Database,
    rules: Rules,
    clock: Callable[[], datetime],
    address: str,
    pretend: bool,
    titles: Mapping[str, str],
    book_key: bytes | None = None,
) -> None:
    """Add /statement and /earnings with what is under them; /static too, unless another page serves it already.

    ``address``: the hub's public one, whose host is the name under which the form is taken. ``titles``: what networks
    are called. ``book_key`` makes the salts that find receipts in the month's book; None: they are not shown.
    """
    parts = urlsplit(address)
    pages = Pages()
    reading = Reading(rules=rules, titles=titles, pretend=pretend, book_key=book_key)
    forms = Forms(hosts={*LOOPBACK, parts.hostname or ""})
    for page in PAGES:
        entrance = Entrance(page, db, clock)
        desk = _Desk(page, entrance, reading, pages, forms, host=parts.netloc, secure=parts.scheme == "https")
        app.router.add_get(f"/{page}/{{token:{_TOKEN}}}", desk.ask)
        app.router.add_post(f"/{page}/{{token:{_TOKEN}}}", desk.enter)
        app.router.add_get(f"/{page}", desk.latest)
        app.router.add_get(f"/{page}/{{what:{_WHAT}}}", desk.show)
        app.router.add_get(f"/{page}/{{what:{_WHAT}}}.{{kind:csv|json|png}}", desk.file)
    if not any(resource.canonical == "/static/{name}" for resource in app.router.resources()):
        app.router.add_get("/static/{name}", pages.static)


class _Desk:
    def __init__(
        self,
        page: str,
        entrance: Entrance,
        reading: Reading,
        pages: Pages,
        forms: Forms,
        *,
        host: str,
        secure: bool,
    ) -> None:
        self._page = page
        self._entrance = entrance
        self._reading = reading
        self._pages = pages
        self._forms = forms
        self._host = host
        self._secure = secure
        self._cookie = f"flattr_{page}"

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Whose it is, and one button; looking uses nothing up, since networks load addresses to show previews."""
        token = request.match_info["token"]
        try:
            invitation = await asyncio.to_thread(self._entrance.look, token, self._session(request))
        except Closed as closed:
            return self._closed(closed)
        own = self._forms.session(request)
        response = self._page_of("statement_ask.html", invitation=invitation, token=self._forms.token(own))
        self._forms.keep(response, own)
        return response

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed: the address is used up, and this browser may look."""
        if (request.content_length or 0) > _LARGEST:
            raise web.HTTPRequestEntityTooLarge(_LARGEST, request.content_length or 0)
        fields: Mapping[str, object]
        try:
            fields = await request.post()
        except (ValueError, LookupError):  # what says it is a form, and is none
            fields = {}
        refusal = self._forms.refusal(request, fields)
        if refusal is not None:
            return self._closed(Closed(refusal, 403))
        session = self._session(request) or secrets.token_urlsafe(32)
        try:
            await asyncio.to_thread(self._entrance.enter, request.match_info["token"], session)
        except Closed as closed:
            return self._closed(closed)
        response = _sent_to(f"/{self._page}")
        # Lax: the way here may begin at a link in a message, and nothing is changed by looking.
        response.set_cookie(
            self._cookie,
            session,
            max_age=int(visits.STAY.total_seconds()),
            path=f"/{self._page}",
            httponly=True,
            samesite="Lax",
            secure=self._secure,
        )
        return response

    async def latest(self, request: web.Request) -> web.StreamResponse:
        """On to the month that the address was asked for, or to the latest."""

        def find(tx: Session, guest: Guest) -> str:
            months = self._reading.months(tx, self._page, guest.person_id)
            if guest.intent and parse_month(guest.intent) in months:
                return guest.intent
            if not months:
                raise Closed("There is nothing to show yet: it comes when a month with likes has closed.", 404)
            return month_name(months[0])

        try:
            month = await asyncio.to_thread(self._entrance.inside, self._session(request), find)
        except Closed as closed:
            return self._closed(closed)
        return _sent_to(f"/{self._page}/{month}")

    async def show(self, request: web.Request) -> web.StreamResponse:
        """A month or a year."""
        what = request.match_info["what"]

        def read(tx: Session, guest: Guest) -> tuple[str, dict[str, Any]]:
            months = self._reading.months(tx, self._page, guest.person_id)
            around = {"months": months, "years": _years(months, guest.at)}
            if (year := _YEAR.fullmatch(what)) is not None:
                return f"{self._page}_year.html", {"sheet": self._year(tx, guest, int(year["year"])), **around}
            return f"{self._page}_month.html", {"found": self._months(tx, guest, what), **around}

        try:
            template, values = await asyncio.to_thread(self._entrance.inside, self._session(request), read)
        except Closed as closed:
            return self._closed(closed)
        return _private(self._page_of(template, **values))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The same as a file; of a patron's month the picture too, which the page shows."""
        what, kind = request.match_info["what"], request.match_info["kind"]

        def read(tx: Session, guest: Guest) -> Month | PatronYear | CreatorYear:
            if (year := _YEAR.fullmatch(what)) is not None:
                return self._year(tx, guest, int(year["year"]))
            return next(each for each in self._months(tx, guest, what) if each.key == what)

        try:
            found = await asyncio.to_thread(self._entrance.inside, self._session(request), read)
            content = await asyncio.to_thread(self._reading.file, found, kind)
        except Closed as closed:
            return self._closed(closed)
        except LookupError:
            return self._closed(Closed("There is no such file.", 404))
        pretend = "pretend-" if self._reading.pretend else ""  # a CSV has no other place to say so
        name = f"flattr-{pretend}{self._page}-{what.replace('/', '-')}.{kind}"
        how = "inline" if kind == "png" else f'attachment; filename="{name}"'
        headers = {**HEADERS, "Cache-Control": "no-store", "Content-Disposition": how}
        charset = None if kind == "png" else "utf-8"
        return _private(web.Response(body=content, content_type=_TYPES[kind], charset=charset, headers=headers))

    def _months(self, tx: Session, guest: Guest, what: str) -> list[Month]:
        match = _MONTH.fullmatch(what)
        month = parse_month(match["month"]) if match is not None and match["month"] >= "0001" else None
        found = self._reading.month(tx, self._page, guest.person_id, month, guest.at) if month is not None else []
        if what not in (each.key for each in found):
            raise Closed("There is nothing of that month.", 404)
        return found

    def _year(self, tx: Session, guest: Guest, year: int) -> PatronYear | CreatorYear:
        if year not in _years(self._reading.months(tx, self._page, guest.person_id), guest.at):
            raise Closed("There is nothing of that year.", 404)
        return self._reading.year(tx, self._page, guest.person_id, year)

    def _page_of(self, template: str, **values: Any) -> web.Response:
        return self._pages.page(
            template,
            page=self._page,
            host=self._host,
            reading=self._reading,
            words=words,
            thing=thing,
            spoken=spoken,
            month_name=month_name,
            one_line=one_line,
            **values,
        )

    def _closed(self, closed: Closed) -> web.Response:
        page = self._pages.page("statement_closed.html", status=closed.status, reason=str(closed))
        return _private(page)

    def _session(self, request: web.Request) -> str:
        """Which browser it is; empty: it has entered nowhere."""
        known = request.cookies.get(self._cookie, "")
        return known if _SESSION.fullmatch(known) else ""


def _years(months: Iterable[int], at: datetime) -> list[int]:
    """The years that have a sheet, the latest first: what was liked in December is collected in January."""
    now = month_of(at)
    return sorted({year_of(each) for month in months for each in (month, min(month + 1, now))}, reverse=True)


def _sent_to(place: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Cache-Control": "no-store", "Location": place})


def _private(response: web.Response) -> web.Response:
    """Without a form there is no need for a referrer, and whoever's thing is looked at need not know from where."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
