"""Two platforms that do not exist, with connectors that sign people in: Pool by OAuth 2, Mill by OAuth 1.0a."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from connectors.base import Asker, Card, Light
from connectors.client import Client, Garbled
from connectors.linking import Admission, Departure, Expired, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from connectors.oauth.signed import SignedFlow, sign
from core.events import AccountRef
from tests.platforms.misbehaving import Misbehaving
from tests.platforms.signing_in import Clock, SignsIn, SignsInSigned

SCOPES: Mapping[Intent, tuple[str, ...]] = {"link": ("likes.read",), "receive": ("likes.read", "pages.read")}


def _card(platform: str, title: str) -> Card:
    return Card(
        platform=platform,
        title=title,
        route="poll",
        abilities=frozenset({"likes", "linking"}),
        what_counts="a splash under a picture",
        creator="who put the picture there",
        retries="it is asked again",
        setup=("Register {callback}.",),
        lights=(
            Light(
                action="likes",
                colour="green",
                clause="Splashes may be read.",
                url="https://pool.example/terms",
                read_on=date(2026, 11, 22),
            ),
        ),
        documentation="https://pool.example/docs",
    )


POOL, MILL = _card("pool", "Pool"), _card("mill", "Mill")


@dataclass
class PoolConnector:
    """Pages are further accounts of the user, proved with intent "receive"."""

    card: Card = POOL
    pkce: bool = True
    basic: bool = False

    receives_separately = True

    def _flow(self, asker: Asker) -> CodeFlow:
        return CodeFlow(
            platform="pool",
            title="Pool",
            client_id=asker.secret("client_id"),
            client_secret=asker.secret("client_secret"),
            authorize=f"{asker.settings['site']}/oauth/authorize",
            tokens=f"{asker.settings['tokens']}/oauth/token",
            scopes=SCOPES,
            pkce=self.pkce,
            basic=self.basic,
        )

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        return self._flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        tokens = await self._flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        answer = await asker.client.request(
            "GET",
            f"{asker.settings['api']}/me",
            platform="pool",
            headers={"authorization": f"Bearer {tokens.access_token}"},
        )
        if answer.status != 200:
            raise NotAdmitted("Pool does not say who you are. Start again.")
        me = answer.json()
        if not isinstance(me, dict) or not isinstance(me.get("id"), str):
            raise Garbled("pool: /me is not a user")
        account = AccountRef(platform="pool", account_id=me["id"], handle=me.get("name"))
        pages = me.get("pages", []) if intent == "receive" else []
        also = tuple(AccountRef(platform="pool", account_id=each, handle=f"page {each}") for each in pages)
        return Admission(account=account, also=also, grants=(tokens.grant(account),))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        tokens = await self._flow(asker).refresh(asker, grant)
        return tokens.grant(grant.account)

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        await asker.client.request(
            "POST", f"{asker.settings['api']}/revoke", platform="pool", form={"token": grant.access_token}
        )


@dataclass
class MillConnector:
    card: Card = MILL

    def _flow(self, asker: Asker) -> SignedFlow:
        site = asker.settings["site"]
        return SignedFlow(
            request=f"{site}/oauth/request_token",
            authorize=f"{site}/oauth/authorize",
            access=f"{site}/oauth/access_token",
            more={"perms": "read"},
        )

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        return await self._flow(asker).departure(
            asker,
            platform="mill",
            state=state,
            callback=callback,
            key=asker.secret("api_key"),
            secret=asker.secret("api_secret"),
        )

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        tokens = await self._flow(asker).exchange(
            asker,
            platform="mill",
            query=query,
            kept=kept,
            key=asker.secret("api_key"),
            secret=asker.secret("api_secret"),
        )
        if not tokens.raw.get("user_id"):
            raise Garbled("mill: the answer names nobody")
        account = AccountRef(platform="mill", account_id=tokens.raw["user_id"], handle=tokens.raw.get("name"))
        grant = Grant(account=account, access_token=tokens.token, token_secret=tokens.token_secret)
        return Admission(account=account, grants=(grant,))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        raise Withdrawn("there is nothing to refresh")

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Mill has no way to."""

    async def whoami(self, asker: Asker, grant: Grant) -> str:
        url = f"{asker.settings['api']}/me"
        params = {"fields": "id,name & more", "page": "1"}
        headers = sign(
            "GET",
            url,
            params,
            key=asker.secret("api_key"),
            secret=asker.secret("api_secret"),
            token=grant.access_token,
            token_secret=grant.token_secret,
            at=asker.clock(),
        )
        answer = await asker.client.request(
            "GET", url, platform="mill", headers=headers, params=params, repeatable=False
        )
        if answer.status == 401:
            raise Expired("mill refuses the token")
        return str(answer.json()["id"])


class Pool(SignsIn):
    """Users by id; the pages each has."""

    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock=clock)
        self.demands_pkce = True
        self.scopes = ("likes.read", "pages.read")
        self.refreshes = self.rotates = True
        self.lives = timedelta(hours=1)
        self.users: dict[str, str] = {}
        self.pages: dict[str, list[str]] = {}

    def knows(self, user: str) -> bool:
        return user in self.users

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/me", self._me)
        app.router.add_post("/revoke", self._revoke)

    async def _me(self, request: web.Request) -> web.StreamResponse:
        user = self.user_of(request)
        if user is None:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({"id": user, "name": self.users[user], "pages": self.pages.get(user, [])})

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        found = self.revoke(str((await request.post()).get("token", "")))
        return web.json_response({}, status=200 if found else 404)


class Mill(SignsInSigned):
    def __init__(self, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock=clock)
        self.users: dict[str, str] = {}

    def knows(self, user: str) -> bool:
        return user in self.users

    def token_answer(self, user: str) -> dict[str, str]:
        return {"user_id": user, "name": self.users[user]}

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/me", self._me)

    async def _me(self, request: web.Request) -> web.StreamResponse:
        user = await self.user_of(request)
        return web.json_response({"id": user}, status=200 if user else 401)


@dataclass(frozen=True)
class Signed:
    """A connector and what it asks with."""

    connector: PoolConnector | MillConnector
    asker: Asker


def signed(connector: PoolConnector | MillConnector, fake: Misbehaving, client: Client, clock: Clock) -> Signed:
    assert isinstance(fake, SignsIn | SignsInSigned)
    secrets = {name: (value.encode(),) for name, value in fake.secrets.items()}
    return Signed(connector, Asker(client=client, secrets=secrets, settings=fake.settings, clock=clock))
