"""The months' books for everybody: their list, each as a file, and the script that checks them without the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from aiohttp import web

from core.books import month_book
from core.books.month_book import Book
from core.database import Database
from core.money import Currency
from core.periods import month_name, parse_month
from pages.rendering import HEADERS, Pages

AT_ONCE = 2
"""Batches being read for downloads at a time; the others wait."""

_KEPT = "public, max-age=300"
"""The running month's book grows; what is in it stays."""


def add_routes(app: web.Application, db: Database, money: Currency) -> None:
    """Add /book, /book/{month}.json and /book/check_book.py; /static too, unless another page serves it already."""
    pages = Pages()
    shelf = _Shelf(db, money, pages)
    app.router.add_get("/book", shelf.index)
    app.router.add_get("/book/check_book.py", shelf.script)
    app.router.add_get(r"/book/{month:\d{4}-\d{2}}.json", shelf.book)
    if not any(resource.canonical == "/static/{name}" for resource in app.router.resources()):
        app.router.add_get("/static/{name}", pages.static)


class _Shelf:
    def __init__(self, db: Database, money: Currency, pages: Pages) -> None:
        self._db = db
        self._money = money
        self._pages = pages
        self._script = month_book.checker()
        self._readers = asyncio.Semaphore(AT_ONCE)

    async def index(self, _: web.Request) -> web.StreamResponse:
        """Which books there are, and what they prove."""
        books = await asyncio.to_thread(self._books)
        rows = [(month_name(book.month), book) for book in reversed(books)]
        response = self._pages.page("book.html", rows=rows)
        response.headers["Cache-Control"] = _KEPT
        return response

    async def script(self, _: web.Request) -> web.StreamResponse:
        """The stand-alone script."""
        headers = {**HEADERS, "Cache-Control": _KEPT, "Content-Disposition": 'attachment; filename="check_book.py"'}
        return web.Response(body=self._script, content_type="text/x-python", charset="utf-8", headers=headers)

    async def book(self, request: web.Request) -> web.StreamResponse:
        """One month's file, read batch by batch while it is sent."""
        name = request.match_info["month"]
        try:
            month = parse_month(name)
            found = await asyncio.to_thread(self._find, month)
        except (ValueError, LookupError):
            raise web.HTTPNotFound(headers=HEADERS, text=f"There is no book of {name}.\n") from None
        # Open to pages of other sites: it is public, and who checks it in a browser need not be us.
        headers = {
            **HEADERS,
            "Cache-Control": _KEPT,
            "ETag": f'"{found.end}"',
            "Content-Disposition": f'attachment; filename="{name}.json"',
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if any(tag.value in (found.end, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        response = web.StreamResponse(headers=headers)
        response.content_type, response.charset = "application/json", "utf-8"
        pieces = month_book.pieces(self._db, month, self._money, until=found)
        await response.prepare(request)
        if request.method != "HEAD":
            while (piece := await self._next(pieces)) is not None:
                await response.write(piece.encode())
        await response.write_eof()
        return response

    async def _next(self, pieces: Iterator[str]) -> str | None:
        async with self._readers:  # not while it is sent: a slow download must not keep the others waiting
            return await asyncio.to_thread(next, pieces, None)

    def _books(self) -> Sequence[Book]:
        with self._db.reading() as tx:
            return month_book.books(tx)

    def _find(self, month: int) -> Book:
        with self._db.reading() as tx:
            return month_book.find(tx, month)
