"""The personal address, the button that leads to the platform, and the page to which it sends people back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from core.access.admission import Arrival, Invitation, TurnedAway
from pages.forms import LOOPBACK, Forms
from pages.rendering import HEADERS, Pages, leaving

COOKIE = "flattr_sign_in"
"""Which browser set out: only it may come back. Lax, since the platform's redirect comes from another site."""

LASTS = 900
"""Seconds; longer than a visit."""

_TOKEN = "[A-Za-z0-9_-]{43}"  # noqa: S105 - its shape
_SESSION = re.compile(_TOKEN, re.ASCII)
_LARGEST = 4096
"""Bytes of the form."""


class SignIn(Protocol):
    """The service behind the pages."""

    async def look(self, token: str) -> Invitation | None:
        """What an address is for."""

    async def depart(self, token: str, session: str) -> str:
        """The platform's address; TurnedAway."""

    async def arrive(self, platform: str, query: Mapping[str, str], session: str) -> Arrival:
        """What came of it; TurnedAway."""


def add_routes(app: web.Application, sign_in: SignIn, *, address: str) -> None:
    """Add /link/{token} and /link/{platform}/callback; /static too, unless another page serves it already.

    ``address``: the hub's public one; its host is the name under which the form is taken.
    """
    parts = urlsplit(address)
    pages = Pages()
    forms = Forms(hosts={*LOOPBACK, parts.hostname or ""})
    door = _Door(sign_in, pages, forms, host=parts.netloc, secure=parts.scheme == "https")
    app.router.add_get(f"/link/{{token:{_TOKEN}}}", door.ask)
    app.router.add_post(f"/link/{{token:{_TOKEN}}}", door.leave)
    # Not for HEAD: an arrival uses the state up.
    app.router.add_get("/link/{platform:[a-z][a-z0-9_]*}/callback", door.arrive, allow_head=False)
    if not any(resource.canonical == "/static/{name}" for resource in app.router.resources()):
        app.router.add_get("/static/{name}", pages.static)


class _Door:
    def __init__(self, sign_in: SignIn, pages: Pages, forms: Forms, *, host: str, secure: bool) -> None:
        self._sign_in = sign_in
        self._pages = pages
        self._forms = forms
        self._host = host
        self._secure = secure

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Who asked, for what, and one button; looking at it uses nothing up."""
        invitation = await self._sign_in.look(request.match_info["token"])
        if invitation is None:
            return self._closed("This address is too old or was used already. Ask the bot for a new one.", status=410)
        session = self._forms.session(request)
        response = self._pages.page(
            "linking_ask.html", invitation=invitation, token=self._forms.token(session), host=self._host
        )
        self._forms.keep(response, session)
        response.headers["Content-Security-Policy"] = leaving(secure=self._secure)
        return response

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed: off to the platform."""
        if (request.content_length or 0) > _LARGEST:
            raise web.HTTPRequestEntityTooLarge(_LARGEST, request.content_length or 0)
        fields: Mapping[str, object]
        try:
            fields = await request.post()
        except (ValueError, LookupError):  # what says it is a form, and is none
            fields = {}
        refusal = self._forms.refusal(request, fields)
        if refusal is not None:
            return self._closed(refusal, status=403)
        session = _session(request) or secrets.token_urlsafe(32)
        try:
            there = await self._sign_in.depart(request.match_info["token"], session)
        except TurnedAway as away:
            return self._turned_away(away)
        response = web.Response(status=303, headers={**HEADERS, "Cache-Control": "no-store", "Location": there})
        response.set_cookie(
            COOKIE, session, max_age=LASTS, path="/link", httponly=True, samesite="Lax", secure=self._secure
        )
        return response

    async def arrive(self, request: web.Request) -> web.StreamResponse:
        """The platform sent somebody back."""
        try:
            arrival = await self._sign_in.arrive(request.match_info["platform"], dict(request.query), _session(request))
        except TurnedAway as away:
            return self._turned_away(away)
        return self._private(self._pages.page("linking_done.html", arrival=arrival))

    def _turned_away(self, away: TurnedAway) -> web.Response:
        return self._closed(str(away), status=away.status, declined=away.declined, again=away.again)

    def _closed(self, reason: str, *, status: int, declined: bool = False, again: bool = False) -> web.Response:
        page = self._pages.page("linking_closed.html", status=status, reason=reason, declined=declined, again=again)
        return self._private(page)

    def _private(self, response: web.Response) -> web.Response:
        """Without a form there is no need for a referrer, and this page's address holds what a platform sent."""
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _session(request: web.Request) -> str:
    """Which browser it is; empty: it has set out nowhere."""
    known = request.cookies.get(COOKIE, "")
    return known if _SESSION.fullmatch(known) else ""
