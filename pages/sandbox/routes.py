"""The sandbox's page: play anybody, like, talk to the bot, close the month, read the books."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from aiohttp import web

from connectors.speaking import Button
from core.database import Busy
from core.events import AccountRef
from pages.forms import LOOPBACK, Forms
from pages.rendering import HEADERS, Pages
from pages.sandbox.books import Books
from pages.sandbox.cast import TONES, Player
from pages.sandbox.memory import NETWORKS, NoSuch, Post
from pages.sandbox.network import LONGEST, Deliver, SandboxNetwork
from pages.sandbox.views import BooksView

log = logging.getLogger("flattr.sandbox")

PLAYER = "flattr_player"
"""The cookie that keeps whom the browser plays."""

RESEND = 3.0
"""Seconds between two looks for deliveries that the hub has not taken yet."""

TEN = 10
"""Likes of the worked example: 35.00 over ten is 3.15 each and 3.50 of fee (money.md)."""

_FIRST_WORDS = (
    Button(label="budget 35", text="budget 35"),
    Button(label="status", text="status"),
    Button(label="help", text="help"),
)


def add_routes(
    app: web.Application,
    *,
    network: SandboxNetwork,
    deliver: Deliver,
    settle: Callable[[], Awaitable[object]],
    books: Books,
    month_end: Callable[[], Awaitable[object]],
    clock: Callable[[], datetime],
    hosts: Collection[str] = LOOPBACK,
) -> None:
    """Add the page at ``/`` with its forms and static files, and a task that re-sends what the hub missed.

    ``deliver`` is the same intake that answers the HTTP route. ``settle`` returns when inbox, worker and
    outbox are drained, so that the page after a form shows what it did. ``month_end`` moves the sandbox's
    clock to the month's end and does everything that is due then. ``hosts`` are the names it answers to.
    """
    desk = _Desk(network, deliver, settle, books, month_end, clock, Pages(), Forms(hosts=hosts))
    app.router.add_get("/", desk.page)
    app.router.add_get("/static/{name}", desk.pages.static)
    app.router.add_get(r"/sandbox/picture/{message:\d{1,15}}", desk.picture)
    for name, act in (
        ("like", desk.like),
        ("say", desk.say),
        ("post", desk.post),
        ("remove", desk.remove),
        ("month", desk.month),
    ):
        app.router.add_post(f"/sandbox/{name}", desk.form(act))
    app.cleanup_ctx.append(desk.resending)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the guided first steps."""

    title: str
    place: str
    """Where on the page it is done."""
    more: str
    done: bool
    next: bool


Fields = Mapping[str, str]
Act = Callable[[Player, Fields], Awaitable[str]]
"""Does what a form asks for and answers the place on the page to come back to."""


class _Desk:
    def __init__(
        self,
        network: SandboxNetwork,
        deliver: Deliver,
        settle: Callable[[], Awaitable[object]],
        books: Books,
        month_end: Callable[[], Awaitable[object]],
        clock: Callable[[], datetime],
        pages: Pages,
        forms: Forms,
    ) -> None:
        self.network = network
        self.pages = pages
        self._deliver = deliver
        self._settle = settle
        self._books = books
        self._month_end = month_end
        self._clock = clock
        self._forms = forms
        self._players = {f"{each.platform}:{each.id}": each for each in network.players()}

    async def resending(self, _app: web.Application) -> AsyncIterator[None]:
        """While the application runs: send what the hub has not taken yet, again and again."""
        task = asyncio.create_task(self._resend(), name="sandbox-deliveries")
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _resend(self) -> None:
        while True:
            try:
                await self.network.send(self._deliver)
            except Exception:  # one bad delivery must not end the network's retries
                log.exception("the sandbox could not deliver; it tries again")
            await asyncio.sleep(RESEND)

    async def _catch_up(self) -> int:
        waiting = await self.network.send(self._deliver)
        await self._settle()
        return waiting

    async def page(self, request: web.Request) -> web.Response:
        """The page as one person sees it."""
        if not self._forms.known_host(request):
            return self._refused("This page answers only on the machine it runs on.")
        asked = request.query.get("as") or request.cookies.get(PLAYER, "")
        me = self._players.get(asked) or next(iter(self._players.values()))
        notice = ""
        if await asyncio.to_thread(self.network.waiting) and await self._catch_up():
            notice = "The hub is not taking deliveries just now. Nothing is lost: the network keeps sending them."
        session = self._forms.session(request)
        response = self.pages.page(
            "sandbox/page.html",
            **await asyncio.to_thread(self._values, me),
            token=self._forms.token(session),
            notice=notice,
        )
        self._forms.keep(response, session)
        response.set_cookie(PLAYER, f"{me.platform}:{me.id}", httponly=True, samesite="Strict", path="/")
        return response

    def _values(self, me: Player) -> dict[str, Any]:
        now = self._clock()
        memory = self.network.memory
        posts = memory.posts(me.platform, me.id)
        messages = memory.messages(me.platform, me.id)
        books = self._books.view(AccountRef(platform=me.platform, account_id=me.id), now)
        spoken = [message for message in messages if message.from_bot]
        return {
            "me": me,
            "now": now,
            "network_title": NETWORKS[me.platform].card.title,
            "networks": [
                (NETWORKS[platform].card.title, list(members))
                for platform, members in groupby(self._players.values(), key=lambda each: each.platform)
            ],
            "posts": posts,
            "messages": messages,
            "replies": (spoken[-1].buttons if spoken else ()) or _FIRST_WORDS,
            "books": books,
            "steps": _steps(books, posts),
            "tones": TONES,
            "anchor": _anchor,
            "wave": _wave,
        }

    def form(self, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A form's handler: check that it is ours, act, let the hub settle, go back to the page."""

        async def handler(request: web.Request) -> web.StreamResponse:
            sent = await request.post()
            if reason := self._forms.refusal(request, sent):
                return self._refused(reason)
            fields = {name: value for name, value in sent.items() if isinstance(value, str)}
            me = self._players.get(fields.get("as", ""))
            if me is None:
                return self._refused("Nobody of that name lives on these networks.", status=400)
            try:
                place = await act(me, fields)
            except NoSuch:
                return self._refused("That post is not there (any more).", status=404)
            except ValueError as wrong:
                return self._refused(str(wrong), status=400)
            except Busy as busy:
                return self._refused(f"{busy}.", status=503)
            await self._catch_up()
            raise web.HTTPSeeOther(f"/?as={me.platform}:{me.id}#{place}", headers=HEADERS)

        return handler

    async def picture(self, request: web.Request) -> web.Response:
        """A picture that the bot sent."""
        if not self._forms.known_host(request):
            return self._refused("This page answers only on the machine it runs on.")
        content = await asyncio.to_thread(self.network.memory.picture, int(request.match_info["message"]))
        if content is None:
            return self._refused("That picture is not there (any more).", status=404)
        return web.Response(body=content, content_type="image/png", headers={**HEADERS, "Cache-Control": "no-store"})

    def _refused(self, reason: str, *, status: int = 403) -> web.Response:
        return self.pages.page("refused.html", status=status, reason=reason)

    async def like(self, me: Player, fields: Fields) -> str:
        """Like a post, or take it back."""
        work = fields.get("work", "")
        await asyncio.to_thread(self.network.like, me.platform, me.id, work, liked=fields.get("liked") == "1")
        return _anchor(work)

    async def say(self, me: Player, fields: Fields) -> str:
        """Write to the bot."""
        await asyncio.to_thread(self.network.write, me.platform, me.id, _words(fields, "text", LONGEST))
        return "chat"

    async def post(self, me: Player, fields: Fields) -> str:
        """Post a text."""
        title, text = _words(fields, "title", 120), _words(fields, "text", 1000)
        return _anchor(await asyncio.to_thread(self.network.post, me.platform, me.id, title, text))

    async def remove(self, me: Player, fields: Fields) -> str:
        """Remove an own post."""
        await asyncio.to_thread(self.network.remove, me.platform, me.id, fields.get("work", ""))
        return "feed"

    async def month(self, me: Player, fields: Fields) -> str:
        """Close the month: first everything that people did arrives, then the month ends."""
        await self._catch_up()
        await self._month_end()
        return "books"


def _words(fields: Fields, name: str, longest: int) -> str:
    # A browser sends line ends as CR LF, and a halved character cannot be kept.
    text = fields.get(name, "").replace("\r\n", "\n").strip()
    if not text or "\0" in text:
        raise ValueError(f"Write something first: the {name} is empty.")
    if len(text) > longest:
        raise ValueError(f"The {name} may have {longest} characters.")
    return text


def _anchor(work: str) -> str:
    return "post-" + re.sub(r"[^A-Za-z0-9-]", "-", work)


def _wave(title: str) -> list[int]:
    """A song's picture, the same every time: 50 heights of 2 to 19."""
    digest = hashlib.sha256(title.encode()).digest() * 2
    return [2 + digest[place] * (6 + min(place, 49 - place)) // 450 for place in range(50)]


_CLOSING = {True: "The button is below, above the books.", False: "It closes by itself when it is over."}
"""By whether the clock can be skipped."""


def _steps(books: BooksView, posts: Collection[Post]) -> list[Step]:
    """The first five minutes, with what this person has done of them."""
    mine = books.mine
    closed = next((each for each in books.statements if each.mine), None)
    counting = mine.counting
    budget = "Tell the bot, or press its button. It is a month's limit."
    if mine.budget:
        budget = "Done." if mine.has_card else mine.card_hint
    likes = f"{counting} of {TEN} count" + (f", {mine.pending} pending" if mine.pending else "")
    result = "The books will show ten shares of 3.15 and a fee of 3.50."
    if closed:
        result = f"{closed.month}: {closed.sum}" if closed.sum else f"{closed.month}: {closed.state}"
    done = [
        bool(closed) or (mine.budget is not None and mine.has_card),
        bool(closed) or counting >= TEN,
        bool(closed),
        bool(closed and closed.good),
    ]
    words = [
        ("Say “budget 35”", "say", budget),
        ("Like ten things", "feed", f"{likes}." if not closed or counting else "Done."),
        ("Close the month", "close-month", "Done." if closed else _CLOSING[books.skips]),
        ("See where it went", "books", result),
    ]
    following = done.index(False) if False in done else -1
    return [
        Step(title=title, place=place, more=more, done=done[number], next=number == following)
        for number, (title, place, more) in enumerate(words)
    ]
