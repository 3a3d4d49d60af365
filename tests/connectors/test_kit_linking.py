"""The kit's rules of signing in: two correct connectors keep them, and each way to break one is found."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Asker
from connectors.client import Client, Unanswered
from connectors.kit.linking import CHECKS, LinkingCheck, SignIn
from connectors.linking import Admission, Departure, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from core.events import AccountRef
from tests.platforms.misbehaving import Passing, Says
from tests.platforms.pool import SCOPES, Mill, MillConnector, Pool, PoolConnector, signed

BY_NAME = {check.run.__name__: check for check in CHECKS}


@asynccontextmanager
async def pool(connector: PoolConnector | None = None, **rules: Any) -> AsyncIterator[SignIn]:
    time = Passing()
    async with Pool(clock=time.clock) as fake, Client(hub="hub", **time.parts) as client:
        fake.users["7"] = "ann"
        for name, value in rules.items():
            setattr(fake, name, value)
        at = signed(connector or PoolConnector(), fake, client, time.clock)
        yield SignIn(
            connector=at.connector,
            asker=at.asker,
            account=AccountRef(platform="pool", account_id="7"),
            consent=lambda url: fake.consent(url, "7"),
            decline=fake.decline,
            spoil=lambda status, body: fake.suffer(Says(status, {}, body)),
            asked=lambda: len(fake.heard),
            withdraw=lambda: fake.withdraw("7"),
            intents=("link", "receive"),
            pkce=True,
            scopes=SCOPES,
        )


@asynccontextmanager
async def mill() -> AsyncIterator[SignIn]:
    time = Passing()
    async with Mill(clock=time.clock) as fake, Client(hub="hub", **time.parts) as client:
        fake.users["9@N00"] = "ben"
        at = signed(MillConnector(), fake, client, time.clock)
        yield SignIn(
            connector=at.connector,
            asker=at.asker,
            account=AccountRef(platform="mill", account_id="9@N00"),
            consent=lambda url: fake.consent(url, "9@N00"),
            decline=fake.decline,
            spoil=lambda status, body: fake.suffer(Says(status, {}, body)),
            asked=lambda: len(fake.heard),
            withdraw=lambda: fake.withdraw("9@N00"),
            scopes={"link": ("read",)},
        )


@pytest.mark.parametrize("check", CHECKS, ids=str)
async def test_a_correct_oauth_2_connector_keeps_every_rule(check: LinkingCheck):
    async with pool() as sign_in:
        await check(sign_in)


@pytest.mark.parametrize("check", CHECKS, ids=str)
async def test_a_correct_oauth_1_connector_keeps_every_rule(check: LinkingCheck):
    async with mill() as sign_in:
        await check(sign_in)


class AsksForMore(PoolConnector):
    def _flow(self, asker: Asker) -> CodeFlow:
        return replace(super()._flow(asker), scopes={"link": ("likes.read", "pages.read")})


class AdmitsAnybody(PoolConnector):
    async def exchange(self, asker: Asker, **given: Any) -> Admission:
        found = await super().exchange(asker, **given)
        return replace(found, account=AccountRef(platform="pool", account_id="8"))


class ForgetsTheState(PoolConnector):
    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        return await super().authorize(asker, state="own", callback=callback, intent=intent)


class BelievesTheQuery(PoolConnector):
    async def exchange(self, asker: Asker, *, query: Mapping[str, str], **given: Any) -> Admission:
        try:
            return await super().exchange(asker, query=query, **given)
        except NotAdmitted:
            return Admission(account=AccountRef(platform="pool", account_id="7"))


class TakesANoForAFailure(PoolConnector):
    async def exchange(self, asker: Asker, **given: Any) -> Admission:
        try:
            return await super().exchange(asker, **given)
        except NotAdmitted as refused:
            raise NotAdmitted(str(refused)) from None


class Insists(PoolConnector):
    """Tries the exchange again."""

    async def exchange(self, asker: Asker, **given: Any) -> Admission:
        try:
            return await super().exchange(asker, **given)
        except Exception:  # noqa: BLE001
            return await super().exchange(asker, **given)


class Stumbles(PoolConnector):
    async def exchange(self, asker: Asker, **given: Any) -> Admission:
        try:
            return await super().exchange(asker, **given)
        except NotAdmitted:
            raise KeyError("access_token") from None


class EndsAccessOnAnyFault(PoolConnector):
    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        try:
            return await super().refresh(asker, grant)
        except Exception:  # noqa: BLE001
            raise Withdrawn("something was wrong") from None


class RevokesOnce(PoolConnector):
    def __init__(self) -> None:
        super().__init__()
        self.revoked: set[str] = set()

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        if grant.access_token in self.revoked:
            raise AssertionError("revoked already")
        self.revoked.add(grant.access_token)


class TakesSilenceForAnEnd(PoolConnector):
    async def revoke(self, asker: Asker, grant: Grant) -> None:
        with suppress(Unanswered):
            await super().revoke(asker, grant)


class LogsTheToken(PoolConnector):
    async def exchange(self, asker: Asker, **given: Any) -> Admission:
        found = await super().exchange(asker, **given)
        logging.getLogger("pool").debug("got %s", found.grants[0].access_token)
        return found


class TellsTheCode(PoolConnector):
    async def exchange(self, asker: Asker, *, query: Mapping[str, str], **given: Any) -> Admission:
        try:
            return await super().exchange(asker, query=query, **given)
        except NotAdmitted:
            raise NotAdmitted(f"Pool does not know {query.get('code')}") from None


@pytest.mark.parametrize(
    ("connector", "rule", "rules"),
    [
        (ForgetsTheState, "_admitted", {}),
        (AdmitsAnybody, "_admitted", {}),
        (AsksForMore, "_least", {}),
        (lambda: PoolConnector(pkce=False), "_pkce", {"demands_pkce": False}),
        (BelievesTheQuery, "_replayed", {}),
        (BelievesTheQuery, "_without_code", {}),
        (TakesANoForAFailure, "_declined", {}),
        (Insists, "_spoilt", {}),
        (Stumbles, "_spoilt", {}),
        (EndsAccessOnAnyFault, "_refreshed", {}),
        (RevokesOnce, "_revoked", {}),
        (TakesSilenceForAnEnd, "_revoked", {}),
        (LogsTheToken, "_secret", {}),
        (TellsTheCode, "_secret", {}),
    ],
)
async def test_a_broken_connector_is_found_out(connector: Any, rule: str, rules: Mapping[str, Any]):
    async with pool(connector(), **rules) as sign_in:
        with pytest.raises(AssertionError, match=r"broken rule|revoked already"):
            await BY_NAME[rule](sign_in)
