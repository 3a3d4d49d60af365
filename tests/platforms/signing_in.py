"""Platforms where people sign in: an OAuth 2 and an OAuth 1.0a server, as bases of the platforms' fakes.

A fake derives from one of them, calls ``super().add_routes(app)``, adds its own routes, and asks `user_of` whose
token a request carries. Both believe nothing: codes are single use and short-lived, the redirect address must be
the same, PKCE is checked, every OAuth 1.0a signature is verified.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import aiohttp
from aiohttp import web
from oauthlib.oauth1.rfc5849 import signature

from tests.platforms.misbehaving import Misbehaving

Clock = Callable[[], datetime]


class Refused(Exception):
    """The browser shows the platform's own error page: nobody is sent back to the hub."""


@dataclass(kw_only=True)
class Lent:
    """One access that a user gave, with all tokens made for it."""

    user: str
    scopes: tuple[str, ...] = ()
    access_token: str = ""
    refresh_token: str | None = None
    expires_at: datetime | None = None
    code: str = ""
    spent: list[str] = field(default_factory=list)
    """Refresh tokens that were used."""


@dataclass(kw_only=True)
class _Code:
    user: str
    redirect: str
    scopes: tuple[str, ...]
    challenge: str | None
    until: datetime
    used: bool = False


class SignsIn(Misbehaving):
    """An OAuth 2 authorization server. Its rules are attributes; a fake sets its platform's in ``__init__``."""

    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"
    demands_pkce = False
    """S256, and nothing else, at both ends."""
    basic = False
    """The application's secret comes in an Authorization header; else in the form."""
    by_get = False
    """The token endpoint is asked by GET."""
    separator = " "
    scopes: tuple[str, ...] | None = None
    """The scopes there are; another one is refused. None: any."""
    lives: timedelta | None = None
    """Of an access token; None: no end, and no expires_in in the answer."""
    refreshes = False
    """There are refresh tokens."""
    rotates = False
    """A refresh token is usable once; using it again ends the access."""
    code_lives = timedelta(minutes=1)

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.clock = clock
        self.client_id = "hub-client"
        self.client_secret = "hub-secret-+/="
        self.callbacks: set[str] = set()
        """The registered addresses to come back to; empty: any."""
        self.lent: list[Lent] = []
        self.consents: list[Mapping[str, str]] = []
        """The query of every authorization address that was opened."""
        self._codes: dict[str, _Code] = {}

    # What a fake may say otherwise

    def knows(self, user: str) -> bool:
        """Whether there is such a user."""
        return True

    def token_answer(self, lent: Lent) -> dict[str, Any]:
        """What the token answer tells beside the tokens."""
        return {}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    @property
    def settings(self) -> Mapping[str, str]:
        return {"api": self.base, "site": self.base, "tokens": self.base}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(self.authorize_path, _consent_page)
        app.router.add_post(self.authorize_path, self._consented)
        app.router.add_route("GET" if self.by_get else "POST", self.token_path, self._exchange)

    # The user

    async def consent(self, url: str, user: str, session: aiohttp.ClientSession | None = None) -> str:
        """Agree as a user's browser would; where it is sent back to. With a ``session`` over HTTP, else within."""
        return await self._answer_at(url, user, session)

    async def decline(self, url: str, user: str = "", session: aiohttp.ClientSession | None = None) -> str:
        """Say no; where the browser is sent back to."""
        return await self._answer_at(url, None, session)

    async def _answer_at(self, url: str, user: str | None, session: aiohttp.ClientSession | None) -> str:
        if session is None:
            return self._sent_back(self._query(url), user)
        async with session.post(url, data={"user": user or ""}, allow_redirects=False) as answer:
            if answer.status != 302:
                raise Refused(await answer.text())
            return answer.headers["location"]

    def expire(self, user: str) -> None:
        """The access tokens of a user end now; their refresh tokens stay."""
        for lent in self.lent:
            if lent.user == user:
                lent.expires_at = self.clock()

    def withdraw(self, user: str) -> None:
        """A user takes all access back, in the platform's settings."""
        self.lent = [lent for lent in self.lent if lent.user != user]

    def revoke(self, token: str) -> bool:
        """Whether the access to which a token belongs was there, and ended."""
        kept = [lent for lent in self.lent if token not in (lent.access_token, lent.refresh_token)]
        kept, self.lent = self.lent, kept
        return len(kept) != len(self.lent)

    def lend(self, user: str, *, scopes: tuple[str, ...] = ()) -> Lent:
        """Access without a browser, for tests about something else."""
        lent = Lent(user=user, scopes=scopes)
        self._renew(lent)
        self.lent.append(lent)
        return lent

    # The API

    def access_of(self, request: web.Request) -> Lent | None:
        """The access whose token a request carries in its Authorization header; None: none that is valid."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            return None
        return self.access_by(token.strip())

    def access_by(self, token: str) -> Lent | None:
        """The access to which a token belongs, unless it has ended."""
        for lent in self.lent:
            if token and lent.access_token == token:
                return None if lent.expires_at is not None and lent.expires_at <= self.clock() else lent
        return None

    def user_of(self, request: web.Request) -> str | None:
        """Whose token a request carries."""
        lent = self.access_of(request)
        return lent.user if lent else None

    # The authorization endpoint

    def _query(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}{parts.path}" != self.base + self.authorize_path:
            raise Refused(f"{parts.netloc}{parts.path} is not the authorization address of this platform")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if len(dict(pairs)) != len(pairs):
            raise Refused("a parameter came twice")
        return dict(pairs)

    def _sent_back(self, query: Mapping[str, str], user: str | None) -> str:
        self.consents.append(dict(query))
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != self.client_id or not redirect:
            raise Refused("unknown application, or no redirect_uri")
        if self.callbacks and redirect not in self.callbacks:
            raise Refused("the redirect_uri is not registered")
        back: dict[str, str] = {"state": query["state"]} if "state" in query else {}
        scopes = tuple(each for each in query.get("scope", "").split(self.separator) if each)
        challenge = query.get("code_challenge")
        if query.get("response_type") != "code":
            back["error"] = "unsupported_response_type"
        elif self.scopes is not None and not set(scopes) <= set(self.scopes):
            back["error"] = "invalid_scope"
        elif self.demands_pkce and not (challenge and query.get("code_challenge_method") == "S256"):
            back["error"] = "invalid_request"
        elif user is None:
            back["error"] = "access_denied"
        elif not self.knows(user):
            raise Refused(f"there is no user {user}")
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = _Code(
                user=user, redirect=redirect, scopes=scopes, challenge=challenge, until=self.clock() + self.code_lives
            )
        return f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(back)}"

    async def _consented(self, request: web.Request) -> web.StreamResponse:
        user = str((await request.post()).get("user", "")) or None
        try:
            where = self._sent_back(self._query(self.base + str(request.rel_url)), user)
        except Refused as refused:
            return web.Response(status=400, text=str(refused))
        return web.Response(status=302, headers={"location": where})

    # The token endpoint

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        given = dict(request.query) if self.by_get else {name: str(v) for name, v in (await request.post()).items()}
        if not self._is_application(request, given):
            return self._error("invalid_client", 401)
        match given.get("grant_type"):
            case "authorization_code":
                lent = self._by_code(given)
            case "refresh_token" if self.refreshes:
                lent = self._by_refresh(given.get("refresh_token", ""))
            case _:
                return self._error("unsupported_grant_type", 400)
        if lent is None:
            return self._error("invalid_grant", 400)
        answer: dict[str, Any] = {"access_token": lent.access_token, "token_type": "bearer"}
        if lent.scopes:
            answer["scope"] = self.separator.join(lent.scopes)
        if self.lives is not None:
            answer["expires_in"] = int(self.lives.total_seconds())
        if lent.refresh_token:
            answer["refresh_token"] = lent.refresh_token
        return web.json_response(answer | self.token_answer(lent))

    def _is_application(self, request: web.Request, given: Mapping[str, str]) -> bool:
        if self.basic:
            pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
            return request.headers.get("authorization") == f"Basic {pair}" and "client_secret" not in given
        return given.get("client_id") == self.client_id and given.get("client_secret") == self.client_secret

    def _by_code(self, given: Mapping[str, str]) -> Lent | None:
        code = self._codes.get(given.get("code", ""))
        if code is None:
            return None
        if code.used:
            # RFC 6749, 4.1.2: a code that comes again was stolen, and ends what was made of it.
            self.lent = [lent for lent in self.lent if lent.code != given["code"]]
            return None
        code.used = True
        if code.until <= self.clock() or given.get("redirect_uri") != code.redirect:
            return None
        verifier = given.get("code_verifier")
        if (verifier is None) != (code.challenge is None) or (self.demands_pkce and verifier is None):
            return None
        if verifier is not None and _s256(verifier) != code.challenge:
            return None
        lent = Lent(user=code.user, scopes=code.scopes, code=given["code"])
        self._renew(lent)
        self.lent.append(lent)
        return lent

    def _by_refresh(self, token: str) -> Lent | None:
        for lent in self.lent:
            if token and token == lent.refresh_token:
                self._renew(lent)
                return lent
            if token in lent.spent:
                self.lent.remove(lent)
                return None
        return None

    def _renew(self, lent: Lent) -> None:
        lent.access_token = f"access-{secrets.token_urlsafe(16)}"
        lent.expires_at = None if self.lives is None else self.clock() + self.lives
        if self.refreshes and (self.rotates or lent.refresh_token is None):
            if lent.refresh_token:
                lent.spent.append(lent.refresh_token)
            lent.refresh_token = f"refresh-{secrets.token_urlsafe(16)}"

    def _error(self, name: str, status: int) -> web.Response:
        """An error answer in RFC 6749's form; a fake says it in its platform's."""
        return web.json_response({"error": name, "error_description": f"{name}, says the platform"}, status=status)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


async def _consent_page(request: web.Request) -> web.StreamResponse:
    """What a browser is asked; `consent` does without it."""
    action = escape(str(request.rel_url))
    page = (
        f"<!doctype html><title>Sign in</title><h1>Let the hub in?</h1><form method=post action='{action}'>"
        "<label>User <input name=user></label><button>Agree</button></form>"
        f"<form method=post action='{action}'><input type=hidden name=user value=''><button>Decline</button></form>"
    )
    return web.Response(text=page, content_type="text/html")


@dataclass(kw_only=True)
class Signer:
    """A token of OAuth 1.0a: first a request token, then, with a verifier, an access token."""

    token: str
    secret: str
    callback: str = ""
    user: str | None = None
    verifier: str | None = None


class SignsInSigned(Misbehaving):
    """An OAuth 1.0a service provider that verifies every signature and takes every nonce once."""

    request_path = "/oauth/request_token"
    authorize_path = "/oauth/authorize"
    access_path = "/oauth/access_token"
    skew = timedelta(minutes=5)
    """How far a signature's time may be from the platform's."""

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.clock = clock
        self.api_key = "hub-key"
        self.api_secret = "hub&secret"
        self.requested: dict[str, Signer] = {}
        self.lent: dict[str, Signer] = {}
        """The access tokens."""
        self.consents: list[Mapping[str, str]] = []
        self._nonces: set[tuple[str, str, str]] = set()

    def knows(self, user: str) -> bool:
        """Whether there is such a user."""
        return True

    def token_answer(self, user: str) -> dict[str, str]:
        """What the access token's answer tells beside the tokens."""
        return {}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"api_key": self.api_key, "api_secret": self.api_secret}

    @property
    def settings(self) -> Mapping[str, str]:
        return {"api": self.base, "site": self.base}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("*", self.request_path, self._request_token)
        app.router.add_get(self.authorize_path, _consent_page)
        app.router.add_post(self.authorize_path, self._consented)
        app.router.add_route("*", self.access_path, self._access_token)

    # The user

    async def consent(self, url: str, user: str, session: aiohttp.ClientSession | None = None) -> str:
        """Agree as a user's browser would; where it is sent back to. With a ``session`` over HTTP, else within."""
        return await self._answer_at(url, user, session)

    async def decline(self, url: str, user: str = "", session: aiohttp.ClientSession | None = None) -> str:
        """Say no; where the browser is sent back to."""
        return await self._answer_at(url, None, session)

    async def _answer_at(self, url: str, user: str | None, session: aiohttp.ClientSession | None) -> str:
        if session is None:
            return self._sent_back(url, user)
        async with session.post(url, data={"user": user or ""}, allow_redirects=False) as answer:
            if answer.status != 302:
                raise Refused(await answer.text())
            return answer.headers["location"]

    def withdraw(self, user: str) -> None:
        """A user takes all access back, in the platform's settings."""
        self.lent = {token: signer for token, signer in self.lent.items() if signer.user != user}

    def lend(self, user: str) -> Signer:
        """Access without a browser, for tests about something else."""
        signer = _signer("access")
        signer.user = user
        self.lent[signer.token] = signer
        return signer

    # The API

    async def problem_of(self, request: web.Request, tokens: Mapping[str, Signer] | None = None) -> str | None:
        """What is wrong with a request's signature, in the words of oauth_problem; None: it is good.

        ``tokens``: those it may be signed with, else the access tokens; empty: signed by the application alone.
        """
        given = dict(_authorization(request))
        tokens = self.lent if tokens is None else tokens
        if given.get("oauth_consumer_key") != self.api_key:
            return "consumer_key_unknown"
        token = given.get("oauth_token", "")
        if (token in tokens) != bool(tokens) or (token and token not in tokens):
            return "token_rejected"
        when = given.get("oauth_timestamp", "")
        if not when.isdigit() or abs(self.clock().timestamp() - int(when)) > self.skew.total_seconds():
            return "timestamp_refused"
        if not await self._is_signed(request, tokens[token].secret if token else ""):
            return "signature_invalid"
        nonce = (token, when, given.get("oauth_nonce", ""))
        if nonce in self._nonces:
            return "nonce_used"
        self._nonces.add(nonce)
        return None

    async def user_of(self, request: web.Request) -> str | None:
        """Whose access token signed a request; None: nobody's that is valid."""
        if not self.lent or await self.problem_of(request) is not None:
            return None
        return self.lent[dict(_authorization(request))["oauth_token"]].user

    async def _is_signed(self, request: web.Request, token_secret: str) -> bool:
        url = self.base + str(request.rel_url)
        form = request.content_type == "application/x-www-form-urlencoded"
        body = (await request.read()).decode() if form else ""
        params = signature.collect_parameters(
            uri_query=request.rel_url.raw_query_string,
            body=body,
            headers={"Authorization": request.headers.get("authorization", "")},
            exclude_oauth_signature=False,
        )
        normalized = signature.normalize_parameters([pair for pair in params if pair[0] != "oauth_signature"])
        base = signature.signature_base_string(request.method, signature.base_string_uri(url), normalized)
        key = f"{quote(self.api_secret, safe='~')}&{quote(token_secret, safe='~')}".encode()
        expected = base64.b64encode(hmac.new(key, base.encode(), hashlib.sha1).digest()).decode()
        return hmac.compare_digest(expected, dict(params).get("oauth_signature", ""))

    # The three legs

    async def _request_token(self, request: web.Request) -> web.StreamResponse:
        if problem := await self.problem_of(request, {}):
            return self._refused(problem)
        callback = dict(_authorization(request)).get("oauth_callback", "")
        if not callback:
            return self._refused("parameter_absent")
        signer = _signer("request")
        signer.callback = callback
        self.requested[signer.token] = signer
        return _form({"oauth_callback_confirmed": "true", **_pair(signer)})

    def _sent_back(self, url: str, user: str | None) -> str:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}{parts.path}" != self.base + self.authorize_path:
            raise Refused(f"{parts.netloc}{parts.path} is not the authorization address of this platform")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.consents.append(query)
        signer = self.requested.get(query.get("oauth_token", ""))
        if signer is None or signer.user is not None:
            raise Refused("the request token is unknown or was used")
        join = "&" if "?" in signer.callback else "?"
        if user is None:
            del self.requested[signer.token]
            return f"{signer.callback}{join}{urlencode({'denied': signer.token})}"
        if not self.knows(user):
            raise Refused(f"there is no user {user}")
        signer.user, signer.verifier = user, secrets.token_hex(8)
        back = {"oauth_token": signer.token, "oauth_verifier": signer.verifier}
        return f"{signer.callback}{join}{urlencode(back)}"

    async def _consented(self, request: web.Request) -> web.StreamResponse:
        user = str((await request.post()).get("user", "")) or None
        try:
            where = self._sent_back(self.base + str(request.rel_url), user)
        except Refused as refused:
            return web.Response(status=400, text=str(refused))
        return web.Response(status=302, headers={"location": where})

    async def _access_token(self, request: web.Request) -> web.StreamResponse:
        if problem := await self.problem_of(request, self.requested or {"": _signer("none")}):
            return self._refused(problem)
        given = dict(_authorization(request))
        asked = self.requested[given["oauth_token"]]
        if not asked.verifier or given.get("oauth_verifier") != asked.verifier:
            return self._refused("verifier_invalid")
        del self.requested[asked.token]
        assert asked.user is not None
        signer = self.lend(asked.user)
        return _form({**self.token_answer(asked.user), **_pair(signer)})

    def _refused(self, problem: str) -> web.Response:
        """A refused leg; a fake says it in its platform's way."""
        return _form({"oauth_problem": problem}, status=401)


def _signer(kind: str) -> Signer:
    return Signer(token=f"{kind}-{secrets.token_hex(8)}", secret=f"secret-{secrets.token_hex(8)}")


def _pair(signer: Signer) -> dict[str, str]:
    return {"oauth_token": signer.token, "oauth_token_secret": signer.secret}


def _form(fields: Mapping[str, str], status: int = 200) -> web.Response:
    return web.Response(text=urlencode(fields), status=status)


def _authorization(request: web.Request) -> list[tuple[str, str]]:
    """The parameters of an OAuth header."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "oauth":
        return []
    pairs = (each.strip().partition("=") for each in rest.split(","))
    return [(unquote(name), unquote(value.strip('"'))) for name, _, value in pairs]
