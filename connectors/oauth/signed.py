"""OAuth 1.0a, where every request is signed with HMAC-SHA1: the three-legged sign-in, and the signature itself.

RFC 5849; the base string and the signature are oauthlib's, every request goes through the hub's client.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode

from oauthlib import oauth1

from connectors.base import Asker
from connectors.client import Garbled, Response, Unanswered
from connectors.linking import Departure, NotAdmitted

_LONGEST = 2_000
"""Characters of a token or a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTokens:
    """What the third leg gave; in no repr."""

    token: str = field(repr=False)
    token_secret: str = field(repr=False)
    raw: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole answer: platforms tell the account in it."""


def sign(
    method: Literal["GET", "POST", "PUT", "DELETE"],
    url: str,
    params: Mapping[str, str] | None = None,
    *,
    key: str,
    secret: str,
    token: str | None = None,
    token_secret: str | None = None,
    callback: str | None = None,
    verifier: str | None = None,
    at: datetime | None = None,
) -> dict[str, str]:
    """The Authorization header of one request, to be sent as it is.

    ``params``: all that goes into the query or the form beside the URL's own query (which of both makes no
    difference to the signature). ``at``: the time to sign with, else the system's. A signature is good for one
    request: ask with ``repeatable=False``, and sign anew for another attempt.
    """
    client = oauth1.Client(
        key,
        client_secret=secret,
        resource_owner_key=token,
        resource_owner_secret=token_secret,
        callback_uri=callback,
        verifier=verifier,
        timestamp=None if at is None else str(int(at.timestamp())),
    )
    query = urlencode(dict(params or {}), quote_via=quote)
    joined = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
    _, headers, _ = client.sign(joined, http_method=method)
    return {"authorization": str(headers["Authorization"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFlow:
    """A platform's three addresses."""

    request: str
    """Where a request token is got."""
    authorize: str
    """Where the member's browser goes."""
    access: str
    """Where the request token becomes an access token."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization address."""

    async def departure(
        self, asker: Asker, *, platform: str, state: str, callback: str, key: str, secret: str
    ) -> Departure:
        """Where to send somebody; the state comes back in the call-back's query, as the protocol has none."""
        back = f"{callback}{'&' if '?' in callback else '?'}{urlencode({'state': state})}"
        headers = sign("POST", self.request, key=key, secret=secret, callback=back, at=asker.clock())
        answer = await asker.client.request("POST", self.request, platform=platform, headers=headers, repeatable=False)
        fields = _fields(answer)
        if answer.status >= 400 or "oauth_problem" in fields:
            raise Unanswered(f"{platform} does not let this hub ask for sign-ins ({_problem(answer, fields)})")
        if fields.get("oauth_callback_confirmed", "true").lower() != "true":
            raise Garbled(f"{platform} does not confirm the address to come back to")
        token, token_secret = _pair(fields, platform)
        there = urlencode({"oauth_token": token, **self.more})
        return Departure(
            url=f"{self.authorize}{'&' if '?' in self.authorize else '?'}{there}",
            kept={"token": token, "token_secret": token_secret},
        )

    async def exchange(
        self,
        asker: Asker,
        *,
        platform: str,
        query: Mapping[str, str],
        kept: Mapping[str, str],
        key: str,
        secret: str,
    ) -> SignedTokens:
        """What somebody brought back for an access token; NotAdmitted if it is nothing, or refused.

        Sent once: a verifier is usable once, so after a lost answer the person has to sign in again (Unanswered).
        """
        if "denied" in query or query.get("oauth_problem") in ("user_refused", "permission_denied"):
            raise NotAdmitted("You said no there. Nothing was linked.", declined=True)
        token, token_secret = kept.get("token", ""), kept.get("token_secret", "")
        brought, verifier = query.get("oauth_token", ""), query.get("oauth_verifier", "")
        if not (token and token_secret and brought.isascii() and hmac.compare_digest(brought, token)):
            raise NotAdmitted("This sign-in was not started here. Ask the bot for a new address.")
        if not (0 < len(verifier) <= _LONGEST and verifier.isascii() and verifier.isprintable()):
            raise NotAdmitted(f"{platform} did not say that you agreed. Try again.")
        headers = sign(
            "POST",
            self.access,
            key=key,
            secret=secret,
            token=token,
            token_secret=token_secret,
            verifier=verifier,
            at=asker.clock(),
        )
        answer = await asker.client.request("POST", self.access, platform=platform, headers=headers, repeatable=False)
        fields = _fields(answer)
        if answer.status >= 400 or "oauth_problem" in fields:
            raise NotAdmitted("The sign-in was not accepted: it took too long, or was used before. Try again.")
        token, token_secret = _pair(fields, platform)
        return SignedTokens(token=token, token_secret=token_secret, raw=fields)


def _fields(answer: Response) -> dict[str, str]:
    """The form that the platform answered with; empty for anything else."""
    try:
        return dict(parse_qsl(answer.body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


def _pair(fields: Mapping[str, str], platform: str) -> tuple[str, str]:
    pair = fields.get("oauth_token", ""), fields.get("oauth_token_secret", "")
    if all(0 < len(each) <= _LONGEST and each.isascii() and each.isprintable() for each in pair):
        return pair
    raise Garbled(f"{platform}: the answer holds no token; ask again later")


def _problem(answer: Response, fields: Mapping[str, str]) -> str:
    """The platform's word for what is wrong, if it is one word, else the status."""
    word = fields.get("oauth_problem", "")
    return word if word.isidentifier() and len(word) <= 60 else str(answer.status)
