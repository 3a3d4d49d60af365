"""A small network that lists its members' likes, and a connector for it: what every polled platform has in common.

Stateful, keeps running while the hub is down, and misbehaves on request: `suffer` spoils requests as everywhere, and
``mangles`` spoils what lists say, one for each list page that follows.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aiohttp import web

from connectors.base import Asker, Card, KnownLike, Light
from connectors.client import Garbled, Response
from connectors.linking import Expired, Grant
from connectors.polling import Page, Plan, Still, Wanted
from core.events import AccountRef, Liked, ThingRef
from tests.platforms.misbehaving import Misbehaving

NAME = "toy"
MANGLES = ("truncated", "reordered", "reversed", "lost", "empty", "not json", "a list", "doubled")
"""What can be wrong with a page that is a page: cut after some entries, in another order, entries left out."""


@dataclass
class Work:
    owner: str
    private: bool = False
    gone: bool = False


class Listed(Misbehaving):
    """``counts``: it tells how many likes there are; ``window``: it lists no more than so many."""

    def __init__(self, *, per_page: int = 10, counts: bool = False, window: int | None = None, seed: int = 1) -> None:
        super().__init__()
        self.per_page, self.counts, self.window = per_page, counts, window
        self.works: dict[str, Work] = {}
        self.likes: dict[str, dict[str, datetime]] = {}
        """User to thing to when it was liked, in the order of liking."""
        self.tokens: dict[str, str] = {}
        """Token to user; a user with a token is listed to its bearer alone."""
        self.mangles: deque[str] = deque()
        self.unlisted: set[str] = set()
        """Things that lists leave out by a fault of the platform."""
        self.down = False
        self.asked: list[str] = []
        self._random = random.Random(seed)

    def content(self, name: str, owner: str = "maker") -> None:
        self.works.setdefault(name, Work(owner))

    def like(self, user: str, name: str, at: datetime) -> None:
        self.content(name)
        mine = self.likes.setdefault(user, {})
        mine.pop(name, None)
        mine[name] = at

    def unlike(self, user: str, name: str) -> None:
        self.likes[user].pop(name, None)

    def remove(self, name: str) -> None:
        self.works[name].gone = True

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/likes", self._list)
        app.router.add_get("/many", self._many)
        app.router.add_get("/like", self._one)

    def _refuses(self, request: web.Request, user: str) -> web.Response | None:
        if self.down:
            return web.Response(status=503)
        if user in self.tokens.values():
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if self.tokens.get(token) != user:
                return web.json_response({"error": "invalid token"}, status=401)
        return None

    async def _list(self, request: web.Request) -> web.Response:
        user, number = request.query["user"], int(request.query.get("page", "1"))
        self.asked.append(f"{user} {number}")
        if (refused := self._refuses(request, user)) is not None:
            return refused
        return self._mangled(self._page(user, number, request.query.get("order") == "newest"))

    async def _many(self, request: web.Request) -> web.Response:
        users = request.query["users"].split(",")
        self.asked.append(f"many {len(users)}")
        if self.down:
            return web.Response(status=503)
        return web.json_response([self._page(user, 1, request.query.get("order") == "newest") for user in users])

    def _page(self, user: str, number: int, newest: bool) -> dict[str, Any]:
        mine = [(name, at) for name, at in self.likes.get(user, {}).items() if not self.works[name].gone]
        listed = [each for each in mine if each[0] not in self.unlisted]
        if newest:
            listed.reverse()
        listed = listed[: self.window]
        first = (number - 1) * self.per_page
        return {
            "page": number,
            "total": len(mine) if self.counts else None,
            "more": first + self.per_page < len(listed),
            "likes": [
                {"id": name, "at": at.timestamp(), "owner": self.works[name].owner, "private": self.works[name].private}
                for name, at in listed[first : first + self.per_page]
            ],
        }

    def _mangled(self, page: dict[str, Any]) -> web.Response:
        match self.mangles.popleft() if self.mangles else None:
            case "truncated":
                page["likes"] = page["likes"][: len(page["likes"]) // 2]
            case "reordered":
                self._random.shuffle(page["likes"])
            case "reversed":
                page["likes"].reverse()
            case "lost":
                page["likes"] = [each for each in page["likes"] if self._random.random() < 0.7]
            case "empty":
                page["likes"], page["more"] = [], False
            case "doubled":
                page["likes"] = page["likes"] * 2
            case "not json":
                return web.Response(text="<html>busy</html>")
            case "a list":
                return web.json_response([page])
        return web.json_response(page)

    async def _one(self, request: web.Request) -> web.Response:
        user, name = request.query["user"], request.query["id"]
        self.asked.append(f"{user} {name}")
        if (refused := self._refuses(request, user)) is not None:
            return refused
        if name not in self.works or self.works[name].gone:
            return web.json_response({}, status=404)
        return web.json_response({"liked": name in self.likes.get(user, {})})


def thing(name: str) -> ThingRef:
    return ThingRef(platform=NAME, native_id=name, url=f"https://toy.example/{name}")


def account(user: str) -> AccountRef:
    return AccountRef(platform=NAME, account_id=user)


def card(*, timed: bool, **more: Any) -> Card:
    return Card(
        platform=NAME,
        title="Toy",
        route="poll",
        abilities=frozenset({"likes", "unlikes"}),
        what_counts="A like.",
        creator="Whoever made it.",
        knows_like_time=timed,
        lights=(
            Light(
                action="likes",
                colour="green",
                clause="-",
                url="https://toy.example",
                read_on=date(2026, 11, 22),
            ),
        ),
        **more,
    )


PLAN = Plan(
    often=timedelta(minutes=10),
    seldom=timedelta(hours=2),
    whole=timedelta(hours=6),
    newest_first=True,
    needs_grant=False,
)


@dataclass(kw_only=True)
class Toy:
    """A connector for it; ``settings["api"]`` is its address."""

    plan: Plan = PLAN
    timed: bool = True
    within: float = 10.0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def card(self) -> Card:
        return card(timed=self.timed, **self.more)

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        number = int(wanted.mark.page or "1")
        params = {"user": wanted.account.account_id, "page": str(number), **self._order()}
        answer = await self._ask(asker, "likes", params, wanted.grant)
        return self._read(answer.json(), wanted.account, number)

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        params = {"user": like.by.account_id, "id": like.thing.native_id}
        answer = await self._ask(asker, "like", params, grant)
        if answer.status == 404:
            return "gone"
        if not self.plan.direct:
            return "unliked"  # all that is known is that the content is there
        return "liked" if answer.json()["liked"] else "unliked"

    def _order(self) -> dict[str, str]:
        return {"order": "newest" if self.plan.newest_first else "oldest"}

    async def _ask(self, asker: Asker, path: str, params: Mapping[str, str], grant: Grant | None) -> Response:
        answer = await asker.client.request(
            "GET",
            f"{asker.settings['api']}/{path}",
            platform=NAME,
            account=params.get("user") if self.more.get("account_allowance") else None,
            params=params,
            headers={"authorization": f"Bearer {grant.access_token}"} if grant else {},
            within=self.within,
        )
        if answer.status == 401:
            raise Expired
        return answer

    def _read(self, page: Any, by: AccountRef, number: int) -> Page:
        if not isinstance(page, dict) or page["page"] != number:
            raise Garbled("toy: this is not the page; ask again later")
        likes = [each for each in page["likes"] if not each["private"]]
        return Page(
            likes=tuple(self._like(each, by) for each in likes),
            besides=tuple(each["id"] for each in page["likes"] if each["private"]),
            cursor=f"read {number}",
            more=str(number + 1) if page["more"] else None,
            proves="newest" if page["more"] else "everything",
            total=page["total"],
        )

    def _like(self, entry: Mapping[str, Any], by: AccountRef) -> Liked:
        return Liked(
            by=by,
            thing=thing(entry["id"]),
            author=account(entry["owner"]),
            at=datetime.fromtimestamp(entry["at"], UTC) if self.timed else None,
        )


@dataclass(kw_only=True)
class ToyTogether(Toy):
    """The same where several accounts can be asked about at once."""

    plan: Plan = field(default_factory=lambda: Plan(**{**_fields(PLAN), "together": 5}))

    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        firsts = [each for each in wanted if each.mark.page is None]
        users = ",".join(each.account.account_id for each in firsts)
        pages: dict[str, Page | Exception] = {}
        if firsts:
            answer = await self._ask(asker, "many", {"users": users, **self._order()}, None)
            for each, page in zip(firsts, answer.json(), strict=True):
                pages[each.account.account_id] = self._read(page, each.account, 1)
        for each in wanted:
            if each.mark.page is not None:
                pages[each.account.account_id] = await self.poll(asker, each)
        return [pages[each.account.account_id] for each in wanted]


def _fields(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in Plan.__slots__}


def plan(**changes: Any) -> Plan:
    """The usual plan with some changes."""
    return Plan(**{**_fields(PLAN), **changes})
