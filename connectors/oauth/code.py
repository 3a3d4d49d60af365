"""OAuth 2.0 with an authorization code: where to send somebody, and what their code is exchanged for.

The protocol (RFC 6749, PKCE by RFC 7636) is oauthlib's; every request goes through the hub's client. A connector
makes a `CodeFlow` of its platform's addresses and adds only what is the platform's own: whose account a token is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl

from oauthlib.oauth2 import WebApplicationClient

from connectors.base import Asker
from connectors.client import Garbled, Response, Unanswered
from connectors.linking import Departure, Grant, Intent, NotAdmitted, Withdrawn
from core.events import AccountRef

LONGEST_LIFE = timedelta(days=3650)
"""A token that is told to live longer has no end."""

_LONGEST = 16_384
"""Characters of a token."""
_VERIFIER = 64
"""Characters; RFC 7636 allows 43 to 128."""
_OURS = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "invalid_scope",
        "redirect_uri_mismatch",
        "incorrect_client_credentials",
        "application_suspended",
    }
)
"""Errors that only whoever runs the hub can mend: they say nothing about the member."""
_OURS_BY_NUMBER = (1, 101)
"""Facebook's, for a secret or an application that it does not know."""
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down", "rate_limit_exceeded"})
_ENDED = frozenset({"invalid_grant", "bad_refresh_token", "bad_verification_code"})
"""The code or the refresh token is not valid (the latter two are GitHub's words, under status 200)."""
_KINDS = frozenset({"bearer", "oauth"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a token endpoint gave; in no repr."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    """What was granted; what was asked for, where the platform does not say."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole answer; some platforms tell the account in it."""

    def grant(self, account: AccountRef, *, more: Mapping[str, str] | None = None) -> Grant:
        """The access as the hub keeps it."""
        return Grant(
            account=account,
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            expires_at=self.expires_at,
            scopes=self.scopes,
            more=more or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFlow:
    """A platform's dialect of the code flow, and the operator's application there."""

    platform: str
    """Whose budget the requests use."""
    title: str
    """The platform's name for people."""
    client_id: str
    client_secret: str = field(repr=False)
    authorize: str
    """Where the member's browser goes."""
    tokens: str
    """Where codes and refresh tokens are exchanged."""
    scopes: Mapping[Intent, tuple[str, ...]] = field(default_factory=dict)
    """What is asked for, by why somebody signs in; none for an intent that is not here."""
    separator: str = " "
    pkce: bool = False
    """Prove at the exchange, by S256, that whoever set out is who comes back."""
    basic: bool = False
    """The application's secret goes into an Authorization header instead of the form."""
    method: Literal["POST", "GET"] = "POST"
    """How the token endpoint is asked."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization address."""

    def departure(self, *, state: str, callback: str, intent: Intent) -> Departure:
        """Where to send somebody; what is kept holds PKCE's verifier."""
        client = WebApplicationClient(self.client_id)
        scope = self.separator.join(self.scopes.get(intent, ()))
        kept = {"scope": scope}
        challenge: str | None = None
        if self.pkce:
            kept["verifier"] = client.create_code_verifier(_VERIFIER)
            challenge = client.create_code_challenge(kept["verifier"], "S256")
        # oauthlib refuses http, which is right everywhere but at a platform on loopback: it gets the path only.
        scheme, _, rest = self.authorize.partition("://")
        url: str = client.prepare_request_uri(
            f"https://{rest}",
            redirect_uri=callback,
            scope=scope or None,
            state=state,
            code_challenge=challenge,
            code_challenge_method="S256",
            **self.more,
        )
        return Departure(url=scheme + url.removeprefix("https"), kept=kept)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str
    ) -> Tokens:
        """A code for tokens; NotAdmitted if there is none or the platform refuses it.

        Sent once: a code is usable once, so after a lost answer the person has to sign in again (Unanswered).
        """
        code = _code(query, self.title)
        verifier = kept.get("verifier")
        if self.pkce and not verifier:
            raise NotAdmitted("This sign-in was not started here. Ask the bot for a new address.")
        body = WebApplicationClient(self.client_id).prepare_request_body(
            code=code,
            redirect_uri=callback,
            include_client_id=not self.basic,
            code_verifier=verifier,
            **({} if self.basic else {"client_secret": self.client_secret}),
        )
        answer, content = await self._ask(asker, body)
        error = _error(content)
        if error in _OURS:
            raise NotAdmitted(f"{self.title} does not accept this hub ({error}). Please tell whoever runs it.")
        if error in _PASSING:
            raise Unanswered(f"{self.title} cannot exchange a code at the moment ({error}); sign in again later")
        if error is not None or answer.status >= 400:
            raise NotAdmitted("The sign-in was not accepted: it took too long, or was used before. Try again.")
        return self._tokens(content, asker, tuple(kept.get("scope", "").split(self.separator)))

    async def refresh(self, asker: Asker, grant: Grant) -> Tokens:
        """New tokens; Withdrawn if there is no refresh token, or the platform says that it is none (any more).

        An error of the hub's own (its secret, its application) is Unanswered: no member loses their access by it.
        Sent once, as a refresh token may be usable only once. The old refresh token and the old scopes hold where
        the platform names no new ones.
        """
        if grant.refresh_token is None:
            raise Withdrawn(f"{self.title} gave nothing to refresh this access with; link the account again")
        # oauthlib builds the body by add_params_to_qs; client_id and secret are parameters like the others.
        own = {} if self.basic else {"client_id": self.client_id, "client_secret": self.client_secret}
        client = WebApplicationClient(self.client_id)
        body = client.prepare_refresh_body(refresh_token=grant.refresh_token, **own)
        answer, content = await self._ask(asker, body)
        error = _error(content)
        if error in _OURS:
            raise Unanswered(f"{self.title} does not accept this hub ({error}); check its application and secret")
        if error in _ENDED or (error is not None and error not in _PASSING and answer.status in (400, 401)):
            raise Withdrawn(f"{self.title} refreshes this access no more ({answer.status})")
        if error is not None or answer.status >= 400:
            raise Unanswered(f"{self.title} answered {answer.status} to a refresh; it is tried again later")
        return self._tokens(content, asker, grant.scopes, refresh_token=grant.refresh_token)

    async def _ask(self, asker: Asker, body: str) -> tuple[Response, dict[str, Any]]:
        headers = {"accept": "application/json"}
        if self.basic:
            # As platforms read it, not as RFC 6749 wants it: neither part is percent-encoded first.
            pair = f"{self.client_id}:{self.client_secret}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        fields = dict(parse_qsl(body, keep_blank_values=True))
        by_get = self.method == "GET"
        answer = await asker.client.request(
            self.method,
            self.tokens,
            platform=self.platform,
            headers=headers,
            params=fields if by_get else None,
            form=None if by_get else fields,
            repeatable=False,
        )
        content = answer.json()
        if not isinstance(content, dict):
            raise Garbled(f"{self.title}: the token answer ({answer.status}) is not an object; ask again later")
        return answer, content

    def _tokens(
        self, content: dict[str, Any], asker: Asker, asked: tuple[str, ...], *, refresh_token: str | None = None
    ) -> Tokens:
        kind = content.get("token_type", "bearer")
        if not isinstance(kind, str) or kind.lower() not in _KINDS:
            raise Garbled(f"{self.title}: the token is of a kind that is not understood")
        renewed = content.get("refresh_token")
        return Tokens(
            access_token=_token(content.get("access_token"), self.title, "access_token"),
            refresh_token=refresh_token if renewed in (None, "") else _token(renewed, self.title, "refresh_token"),
            expires_at=_ends(content.get("expires_in"), asker.clock()),
            scopes=_scopes(content.get("scope"), asked),
            raw=content,
        )


def _code(query: Mapping[str, str], title: str) -> str:
    """The code that somebody brought back; NotAdmitted if they brought none, with what they can do."""
    match query.get("error"):
        case None:
            pass
        case "access_denied" | "user_cancelled_login" | "user_cancelled_authorize":
            raise NotAdmitted("You said no there. Nothing was linked.", declined=True)
        case error if error in _OURS:
            raise NotAdmitted(f"{title} does not accept this hub. Please tell whoever runs it.")
        case _:
            raise NotAdmitted(f"The sign-in did not work out at {title}. Try again.")
    code = query.get("code", "")
    if not (0 < len(code) <= _LONGEST and code.isascii() and code.isprintable()):
        raise NotAdmitted(f"{title} sent you back without a word. Try again.")
    return code


def _error(content: Mapping[str, Any]) -> str | None:
    """The error's name; '' for one that is named in another way than RFC 6749's."""
    error = content.get("error")
    if error is None:
        # SoundCloud's API names it beside a null: https://github.com/soundcloud/api/issues/80
        names = (content.get("error_code"), content.get("message"))
        error = next((each for each in names if isinstance(each, str) and each in _OURS | _ENDED | _PASSING), None)
    if error is None:
        return None
    if isinstance(error, dict) and error.get("code") in _OURS_BY_NUMBER:
        return "invalid_client"
    return error.lower()[:60] if isinstance(error, str) and error.isascii() and error.isprintable() else ""


def _token(value: object, title: str, name: str) -> str:
    """A token that can be put into a header."""
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable():
        return value
    raise Garbled(f"{title}: the token answer has no usable {name}")


def _ends(value: object, at: datetime) -> datetime | None:
    """When a token ends, from its life in seconds; None for never (0, more than ten years) and for what is no time.

    An answer is not thrown away for that: it may hold the only refresh token that is still good, and when the
    access token ends the platform says so.
    """
    try:
        seconds = int(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0
    except (ValueError, OverflowError):
        return None
    return at + timedelta(seconds=seconds) if 0 < seconds <= LONGEST_LIFE.total_seconds() else None


def _scopes(value: object, asked: tuple[str, ...]) -> tuple[str, ...]:
    """What was granted: a text with spaces or commas, or a list."""
    match value:
        case str():
            return tuple(value.replace(",", " ").split())
        case list():
            return tuple(each for each in value if isinstance(each, str))
    return tuple(each for each in asked if each)
