"""Forms that only our own pages can send: a signed token in the form, its session in a strict cookie."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "flattr_session"

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names under which a page on this machine is asked for; another name is DNS rebinding."""

_SESSION = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Forms:
    """Tokens and checks for one listener. ``hosts`` are the names it answers to.

    The key lives as long as the process: after a restart a page that is still open asks to be loaded again.
    """

    def __init__(self, *, hosts: Collection[str] = LOOPBACK, key: bytes | None = None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._key = key or secrets.token_bytes(32)

    def session(self, request: web.Request) -> str:
        """The browser's session, or a new one that `keep` must send along."""
        known = request.cookies.get(COOKIE, "")
        return known if _SESSION.fullmatch(known) else secrets.token_urlsafe(32)

    def keep(self, response: web.Response, session: str) -> None:
        """Give the browser its session."""
        response.set_cookie(COOKIE, session, httponly=True, samesite="Strict", path="/")

    def token(self, session: str) -> str:
        """What every form of this session carries."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()

    def known_host(self, request: web.Request) -> bool:
        """Whether the page was asked for under a name of ours."""
        return _hostname(f"//{request.host}") in self._hosts

    def refusal(self, request: web.Request, fields: Mapping[str, object]) -> str | None:
        """Why a form must not be carried out, in a sentence for the person; None: all is well."""
        if not self.known_host(request):
            return "This page answers only on the machine it runs on."
        for name in ("Origin", "Referer"):
            sent = request.headers.get(name)
            if sent is not None:
                # The scheme is not compared: a proxy in front may speak TLS where we don't.
                if _place(sent) != request.host:
                    return "The form came from another site."
                break
        token = fields.get("token")
        session = request.cookies.get(COOKIE, "")
        if not isinstance(token, str) or not hmac.compare_digest(
            token.encode("utf-8", "replace"), self.token(session).encode()
        ):
            return "This page is out of date. Load it again, please."
        return None


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _place(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.netloc
