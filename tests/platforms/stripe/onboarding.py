"""Hosted onboarding: links that open once and expire, and the person who follows them."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlsplit

from tests.platforms.stripe.errors import StripeError, malformed
from tests.platforms.stripe.forms import Params, inside, needed
from tests.platforms.stripe.recipients import Recipients
from tests.platforms.stripe.routing import route
from tests.platforms.stripe.world import Object


class Onboarding(Recipients):
    """How somebody becomes payable."""

    link_lives = 300
    """Seconds until an onboarding link has expired."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._links: dict[str, Object] = {}

    @route("POST /v2/core/account_links")
    def link_create(self, params: Params) -> Object:
        account = self.account(needed(params, "account"), "account")
        if account["closed"]:
            raise StripeError(400, "The account is closed.", code="account_closed", param="account")
        use_case = dict(inside(params, "use_case"))
        kind = str(use_case.get("type"))
        way = inside(use_case, kind)
        if kind not in ("account_onboarding", "account_update") or not way:
            raise malformed(f"use_case needs {kind}.", "use_case")
        token = self.new_id("link").removeprefix("link_")
        link = {
            "object": "v2.core.account_link",
            "account": account["id"],
            "created": self.iso(),
            "expires_at": self.iso(self.link_lives),
            "livemode": False,
            "url": f"{self.address}/setup/e/{account['id']}/{token}",
            "use_case": copy.deepcopy(use_case),
        }
        self._links[token] = {"link": link, "way": dict(way), "until": self.now() + self.link_lives, "used": False}
        return link

    def link_opens(self, token: str) -> Object | None:
        """A browser opens a link: used from now on. None: it was used before, or has expired."""
        link = self._links[token]
        if link["used"] or link["until"] <= self.now():
            return None
        link["used"] = True
        return link

    def link_at(self, told: str) -> tuple[str, Object]:
        """The token and the link of an address, or the newest one of an account."""
        if told.startswith("acct_"):
            mine = [each for each in self._links.items() if each[1]["link"]["account"] == told]
            return mine[-1]
        token = urlsplit(told).path.rsplit("/", 1)[-1]
        return token, self._links[token]

    def link_leads(self, token: str, *, finish: bool, checked: bool = True) -> str:
        """A person finishes (or leaves) the page behind an opened link; where they are sent to."""
        link = self._links[token]
        account = self.objects[link["link"]["account"]]
        if finish:
            self.identify(account, active=checked)
        self.emit_thin("v2.core.account_link.returned", account)
        return str(link["way"].get("return_url") or link["way"]["refresh_url"])

    def person_onboards(self, account: str, *, finish: bool = True, checked: bool = True) -> str:
        """A person opens the link (its address, or the account's newest) and fills everything in, or leaves early.

        ``checked`` False: Stripe still has to look at it; the capability is pending until `activate`. Where the
        browser is sent to: the return address, or (a used or expired link) the one to ask for another.
        """
        with self.lock:
            self.tick()
            token, link = self.link_at(account)
            if self.link_opens(token) is None:
                return str(link["way"]["refresh_url"])
            return self.link_leads(token, finish=finish, checked=checked)

    def person_lets_link_expire(self, account: str) -> str:
        """A person opens a link when it is too late; where they are sent to."""
        with self.lock:
            _, link = self.link_at(account)
            link["used"] = True
            return str(link["way"]["refresh_url"])
