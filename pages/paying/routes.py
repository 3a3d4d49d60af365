"""The addresses around paying: looked at, left by a button for the payment processor, come back to."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar, cast
from urllib.parse import urlsplit

from aiohttp import web

from core.database import Database, is_away
from core.mail.faults import place_of
from core.payments.gateway import Gateway
from core.payments.hosted import HostedGateway
from core.rules import Rules
from pages.forms import LOOPBACK, Forms
from pages.paying import telling
from pages.paying.cashier import Cashier
from pages.paying.telling import Closed, Door, Invitation, Told
from pages.rendering import HEADERS, Pages, leaving

log = logging.getLogger("flattr.pages")
_T = TypeVar("_T")

COOKIE = "flattr_paying"
"""Which browser used an address up: only it may go on. Lax, since it comes back from the processor's site."""

LASTS = 1800
"""Seconds; as long as it may look (`core.access.visits.STAY`)."""

AGAIN = "flattr_again"
SOON = 20
"""Seconds in which a browser is sent back to the processor by itself only once."""

_DOORS = "card|payouts|pay"
_TOKEN = "[A-Za-z0-9_-]{43}"  # noqa: S105 - its shape
_SESSION = re.compile(_TOKEN, re.ASCII)
_LARGEST = 4096
"""Bytes of the form."""


def add_routes(
    app: web.Application,
    *,
    db: Database,
    rules: Rules,
    gateway: Gateway,
    clock: Callable[[], datetime],
    address: str,
    titles: Mapping[str, str],
    told: Callable[[], None] = lambda: None,
) -> None:
    """Add /card, /payouts and /pay where the processor is in another house; /static too, unless it is served already.

    ``address``: the hub's public one; its host is the name under which forms are taken. ``titles``: of the networks.
    ``told`` is called on the loop when something may have been learned that people are told of.
    """
    if not isinstance(gateway, HostedGateway):
        return
    parts = urlsplit(address)
    pages = Pages()
    cashier = Cashier(db=db, rules=rules, gateway=gateway, clock=clock, address=address, titles=titles)
    forms = Forms(hosts={*LOOPBACK, parts.hostname or ""})
    desk = _Desk(
        cashier, pages, forms, test=gateway.pretend, secure=parts.scheme == "https", host=parts.netloc, told=told
    )
    app.router.add_get(f"/{{door:{_DOORS}}}/{{token:{_TOKEN}}}", desk.ask)
    app.router.add_post(f"/{{door:{_DOORS}}}/{{token:{_TOKEN}}}", desk.leave)
    app.router.add_post(f"/{{door:{_DOORS}}}/go", desk.again)
    # Not for HEAD: the processor is asked.
    app.router.add_get("/card/done", desk.card_back, allow_head=False)
    app.router.add_get("/card/cancelled", desk.card_cancelled, allow_head=False)
    app.router.add_get("/payouts/done", desk.payouts_back, allow_head=False)
    app.router.add_get("/payouts/again", desk.payouts_again, allow_head=False)
    app.router.add_get("/pay/done", desk.pay_back, allow_head=False)
    if not any(resource.canonical == "/static/{name}" for resource in app.router.resources()):
        app.router.add_get("/static/{name}", pages.static)


class _Desk:
    def __init__(
        self,
        cashier: Cashier,
        pages: Pages,
        forms: Forms,
        *,
        test: bool,
        secure: bool,
        host: str,
        told: Callable[[], None],
    ) -> None:
        self._cashier = cashier
        self._pages = pages
        self._forms = forms
        self._test = test
        self._secure = secure
        self._host = host
        self._told = told

    # Going there

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Who asked, for what, and one button; looking at it uses nothing up."""
        door, token = _door(request), request.match_info["token"]
        found = await self._run(self._cashier.look, door, token, _session(request))
        match found:
            case Invitation():
                return self._form(request, "paying_ask.html", invitation=found)
            case Told():
                return self._tell(request, found)
        gone = "This address is too old or was used already. Write to the bot for a new one."
        return self._tell(request, telling.closed(Closed(gone)))

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed: the address is used up, and off to the processor."""
        return await self._go(
            request, lambda door, session: self._cashier.leave(door, request.match_info["token"], session)
        )

    async def again(self, request: web.Request) -> web.StreamResponse:
        """A button on a page that this browser was shown later."""
        return await self._go(request, self._cashier.again)

    async def _go(self, request: web.Request, lead: Callable[[Door, str], str | Told]) -> web.StreamResponse:
        refusal = await self._refusal(request)
        if refusal is not None:
            return self._tell(request, telling.closed(Closed(refusal, status=403)))
        session = _session(request) or secrets.token_urlsafe(32)
        led = await self._led(lead, _door(request), session)
        response = self._tell(request, led) if isinstance(led, Told) else self._off(led)
        response.set_cookie(
            COOKIE, session, max_age=LASTS, path="/", httponly=True, samesite="Lax", secure=self._secure
        )
        return response

    async def _led(self, lead: Callable[[Door, str], str | Told], door: Door, session: str) -> str | Told:
        try:
            led = await self._run(lead, door, session)
        except Closed as away:
            return telling.closed(away)
        self._told()
        return led

    def _off(self, there: str) -> web.Response:
        return web.Response(status=303, headers={**HEADERS, "Cache-Control": "no-store", "Location": there})

    # Coming back

    async def card_back(self, request: web.Request) -> web.StreamResponse:
        """From entering a card."""
        reference = request.query.get("session_id") or request.query.get("session", "")
        return self._learned(request, await self._run(self._cashier.card_back, reference, _session(request)))

    async def card_cancelled(self, request: web.Request) -> web.StreamResponse:
        """From not entering one."""
        return self._tell(request, await self._run(self._cashier.card_cancelled, _session(request)))

    async def payouts_back(self, request: web.Request) -> web.StreamResponse:
        """From telling who they are."""
        return self._learned(request, await self._run(self._cashier.payouts_back, _session(request)))

    async def payouts_again(self, request: web.Request) -> web.StreamResponse:
        """The processor's own link was too old: a new one, for a browser that is inside."""
        if AGAIN in request.cookies:  # a processor that takes no link at all would send them in circles
            return self._tell(request, telling.payouts_link_too_old(self._cashier.there))
        led = await self._led(self._cashier.again, "payouts", _session(request))
        response = self._tell(request, led) if isinstance(led, Told) else self._off(led)
        response.set_cookie(
            AGAIN, "1", max_age=SOON, path="/payouts", httponly=True, samesite="Lax", secure=self._secure
        )
        return response

    async def pay_back(self, request: web.Request) -> web.StreamResponse:
        """From the bank."""
        return self._learned(request, await self._run(self._cashier.pay_back, _session(request)))

    # How

    async def _run(self, work: Callable[..., _T], *given: object) -> _T:
        try:
            return await asyncio.to_thread(work, *given)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("the database is away (%s); a page about paying was not shown", place_of(error))
            raise web.HTTPServiceUnavailable(
                text="The hub cannot work just now. Nothing was changed; try again in a minute.\n",
                headers={**HEADERS, "Retry-After": "60"},
            ) from None

    async def _refusal(self, request: web.Request) -> str | None:
        if (request.content_length or 0) > _LARGEST:
            raise web.HTTPRequestEntityTooLarge(_LARGEST, request.content_length or 0)
        fields: Mapping[str, object]
        try:
            fields = await request.post()
        except (ValueError, LookupError):  # what says it is a form, and is none
            fields = {}
        return self._forms.refusal(request, fields)

    def _learned(self, request: web.Request, told: Told) -> web.Response:
        self._told()
        return self._tell(request, told)

    def _tell(self, request: web.Request, told: Told) -> web.Response:
        return self._form(request, "paying_told.html", status=told.status, told=told)

    def _form(self, request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
        session = self._forms.session(request)
        response = self._pages.page(
            template,
            status=status,
            token=self._forms.token(session),
            there=self._cashier.there,
            test=self._test,
            host=self._host,
            **values,
        )
        self._forms.keep(response, session)
        response.headers["Content-Security-Policy"] = leaving(secure=self._secure)
        return response


def _door(request: web.Request) -> Door:
    return cast(Door, request.match_info["door"])  # the route lets no other in


def _session(request: web.Request) -> str:
    """Which browser it is; empty: it has used no address up."""
    known = request.cookies.get(COOKIE, "")
    return known if _SESSION.fullmatch(known) else ""
