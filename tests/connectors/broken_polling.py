"""A correct polling connector of a platform that does not exist, and all the ways in which one can be broken."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors import addresses
from connectors.base import Asker, Card, KnownLike, Light
from connectors.client import Garbled, Response, Unanswered
from connectors.linking import Expired, Grant
from connectors.polling import Page, Plan, Still, Wanted
from core.events import AccountRef, Liked, ThingRef

CARD = Card(
    platform="toy",
    title="Toy",
    route="poll",
    abilities=frozenset({"likes", "unlikes"}),
    what_counts="A heart on a post.",
    creator="Who posted it.",
    hosts=("api.toy.example",),
    retries="The hub reads on where it was.",
    knows_like_time=True,
    setup=("Toy's settings, page Applications: enter {callback}.",),
    lights=(
        Light(
            action="likes",
            colour="green",
            clause="Says nothing about money that follows hearts.",
            url="https://toy.example/terms",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://toy.example/api",
)
PLAN = Plan(
    often=timedelta(minutes=5), seldom=timedelta(hours=1), whole=timedelta(days=1), newest_first=True, needs_grant=True
)
NEXT = re.compile(r"https://api\.toy\.example/me/hearts\?page=([0-9]{1,6})")


class Toy:
    """Keeps the contract. Its parts are methods, so that each can be broken by itself."""

    card = CARD
    plan = PLAN

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        number = self.number(wanted)
        answer = await self.ask(asker, wanted.grant, "/me/hearts", {"page": str(number)})
        content = self.content(answer)
        match content:
            case {"page": int(page), "total": int(total), "hearts": list(hearts)} if (
                page == number and not isinstance(total, bool) and 0 <= total < 2**63
            ):
                return self.page(wanted, content, hearts, total)
        raise Garbled("no page of hearts")

    def number(self, wanted: Wanted) -> int:
        page = wanted.mark.page
        if page is None:
            return 1
        if not re.fullmatch("[0-9]{1,6}", page, re.ASCII):
            raise Unanswered("not a page")
        return int(page)

    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        assert grant is not None
        answer = await asker.client.request(
            "GET",
            f"https://api.toy.example{path}",
            platform="toy",
            account=grant.account.account_id,
            headers={"authorization": f"Bearer {grant.access_token}"},
            params=params,
        )
        if answer.status == 401:
            raise Expired
        return answer

    def content(self, answer: Response) -> Any:
        if answer.status != 200:
            raise Unanswered(f"Toy answers {answer.status}")
        return answer.json()

    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        likes, besides = [], []
        for heart in hearts:
            like, private = self.like(wanted.account, heart)
            if private:
                besides.append(like.thing.native_id)
            else:
                likes.append(like)
        more = self.more(content)
        if len({*(like.thing for like in likes), *besides}) != len(hearts) or (more is None and total < len(hearts)):
            raise Garbled("repeated hearts")
        return Page(
            likes=tuple(likes),
            besides=tuple(besides),
            cursor=f"{likes[0].at:%Y%m%d}" if likes else None,
            more=more,
            proves="everything",
            total=total,
        )

    def more(self, content: dict[str, Any]) -> str | None:
        match content:
            case {"next": None}:
                return None
            case {"next": str(url)} if (found := NEXT.fullmatch(url)) and int(found[1]) == content["page"] + 1:
                return found[1]
        raise Garbled("no next page")

    def like(self, by: AccountRef, heart: Any) -> tuple[Liked, bool]:
        match heart:
            case {"at": str(), "post": dict(post)}:
                liked = Liked(by=by, thing=self.thing(post), author=self.account(post.get("author")), at=self.at(heart))
                return liked, post.get("private") is not False
        raise Garbled("no heart")

    def at(self, heart: dict[str, Any]) -> datetime:
        return self.time(heart["at"])

    def time(self, text: Any) -> datetime:
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError("no zone")
            return at.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise Garbled("no time") from None

    def thing(self, post: dict[str, Any]) -> ThingRef:
        url = post.get("url")
        page = addresses.canonical(url) if isinstance(url, str) else None
        if page is None or not page.startswith("https://toy.example/"):
            raise Garbled("no address")
        return ThingRef(platform="toy", native_id=self.id(post), url=page, title=self.title(post.get("title")))

    def title(self, value: Any) -> str | None:
        return value if isinstance(value, str) and not re.search("[\x00\ud800-\udfff]", value) else None

    def account(self, data: Any) -> AccountRef:
        if not isinstance(data, dict):
            raise Garbled("no author")
        return AccountRef(platform="toy", account_id=self.id(data))

    def id(self, data: dict[str, Any]) -> str:
        match data.get("id"):
            case int(number) if not isinstance(number, bool) and 0 < number < 2**63:
                return str(number)
        raise Garbled("no id")

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        answer = await self.ask(asker, grant, f"/posts/{like.thing.native_id}")
        if answer.status in (404, 410):
            return "gone"
        match self.content(answer):
            case {"hearted": bool(hearted)}:
                return "liked" if hearted else "unliked"
        raise Garbled("no post")


class RaisesWhatComes(Toy):
    """Fails as Python does where a field is missing."""

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        answer = await self.ask(asker, wanted.grant, "/me/hearts", {"page": str(self.number(wanted))})
        content = self.content(answer)
        return self.page(wanted, content, content.get("hearts"), content["total"])


class SkipsWhatItCannotRead(Toy):
    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        good = []
        for heart in hearts:
            with suppress(Garbled):
                self.like(wanted.account, heart)
                good.append(heart)
        return replace(super().page(wanted, content, good, len(good)), total=None)


class BelievesShortLists(Toy):
    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        return replace(super().page(wanted, content, hearts, len(hearts)), total=None)


class TakesHalfAnAnswer(Toy):
    def content(self, answer: Response) -> Any:
        text = answer.body.decode(errors="replace")
        with suppress(ValueError):
            return json.loads(text)
        try:
            return json.loads(text.rpartition(',"next"')[0] + ',"next":null}')
        except (ValueError, RecursionError):
            raise Garbled("not JSON") from None


class TakesErrorsForEmptiness(Toy):
    def content(self, answer: Response) -> Any:
        if answer.status != 200:
            return {"page": 1, "total": 0, "hearts": [], "next": None}
        return super().content(answer)


class TakesWebsitesForEmptiness(Toy):
    def content(self, answer: Response) -> Any:
        if "html" in answer.headers.get("content-type", ""):
            return {"page": 1, "total": 0, "hearts": [], "next": None}
        return super().content(answer)


class EndsAccessAtOnce(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        try:
            return await super().poll(asker, wanted)
        except Unanswered:
            raise Expired from None


class OverlooksExpiry(Toy):
    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        try:
            return await super().ask(asker, grant, path, params)
        except Expired:
            raise Unanswered("not now") from None


class EndsTheListEarly(Toy):
    def more(self, content: dict[str, Any]) -> str | None:
        try:
            return super().more(content)
        except Garbled:
            return None

    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        page = super().page(wanted, content, hearts, total)
        return page if page.more else replace(page, total=len(hearts))


class GoesWhereItIsTold(Toy):
    """Asks whatever address the page names as the next one."""

    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        answer = await super().ask(asker, grant, path, params)
        content = self.content(answer) if answer.status == 200 else None
        following = content.get("next") if isinstance(content, dict) else None
        if isinstance(following, str) and "api.toy.example" not in following:
            await asker.client.request("GET", following, platform="toy")
        return answer


class NamesOthers(Toy):
    def like(self, by: AccountRef, heart: Any) -> tuple[Liked, bool]:
        return super().like(AccountRef(platform="toy", account_id="1"), heart)


class DatesByTheContent(Toy):
    def at(self, heart: dict[str, Any]) -> datetime:
        return self.time(heart["post"].get("created_at"))


class DatesByTheClock(Toy):
    clock: Any = None

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        page = await super().poll(asker, wanted)
        return replace(page, likes=tuple(replace(like, at=asker.clock()) for like in page.likes))


class ForgetsTheTime(Toy):
    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        page = super().page(wanted, content, hearts, total)
        return replace(page, likes=tuple(replace(like, at=None) for like in page.likes))


class LosesPrivatePosts(Toy):
    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        return replace(super().page(wanted, content, hearts, total), besides=())


class CountsThePages(Toy):
    """A cursor that depends on how often was asked."""

    asked = 0

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        self.asked += 1
        return replace(await super().poll(asker, wanted), cursor=str(self.asked))


class RemembersPages(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        if "page" not in asker.memory:
            asker.memory["page"] = await super().poll(asker, wanted)
        else:
            await super().poll(asker, wanted)
            return replace(asker.memory["page"], likes=asker.memory["page"].likes[:1])
        page: Page = asker.memory["page"]
        return page


class AsksTooMuch(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        page = await super().poll(asker, wanted)
        with suppress(Unanswered):
            await self.ask(asker, wanted.grant, "/me")
        return page


class ChangesSomething(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        page = await super().poll(asker, wanted)
        with suppress(Unanswered):
            await asker.client.request("PUT", "https://api.toy.example/me/seen", platform="toy")
        return page


class ForgetsTheAccess(Toy):
    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        assert grant is not None
        return await super().ask(asker, replace(grant, access_token="nobody's"), path, params)


class HasAClientOfItsOwn(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        with suppress(OSError):
            await asyncio.to_thread(len, "")
            urllib.request.urlopen("http://127.0.0.1:9/", timeout=1).close()  # noqa: ASYNC210 - this is what is wrong
        return await super().poll(asker, wanted)


class ReadsMarksBlindly(Toy):
    def number(self, wanted: Wanted) -> int:
        return int(wanted.mark.page or 1)


class LogsTokens(Toy):
    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        assert grant is not None
        logging.getLogger("toy").debug("asking with %s", grant.access_token)
        return await super().ask(asker, grant, path, params)


class QuotesAnswers(Toy):
    def content(self, answer: Response) -> Any:
        if answer.status != 200:
            raise Unanswered(f"Toy says: {answer.text()}")
        return answer.json()


class CausesWithTheToken(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        try:
            return await super().poll(asker, wanted)
        except Unanswered as error:
            raise Unanswered("no") from ValueError(error, wanted.grant and wanted.grant.access_token)


class TakesGoneForUnliked(Toy):
    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        word = await super().still(asker, grant, like)
        return "unliked" if word == "gone" else word


class TakesSilenceForUnliked(Toy):
    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        try:
            return await super().still(asker, grant, like)
        except Unanswered:
            return "unliked"


class StumblesOverStill(Toy):
    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        answer = await self.ask(asker, grant, f"/posts/{like.thing.native_id}")
        return "liked" if json.loads(answer.body)["hearted"] else "unliked"


class TakesNonsenseForUnliked(Toy):
    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        answer = await self.ask(asker, grant, f"/posts/{like.thing.native_id}")
        if answer.status != 200:
            return await super().still(asker, grant, like)
        content = self.content(answer)
        return "liked" if isinstance(content, dict) and content.get("hearted") is True else "unliked"


class SaysMaybe(Toy):
    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Any:
        return "maybe"


class KeepsAnyTitle(Toy):
    def title(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CountsWithFractions(Toy):
    def page(self, wanted: Wanted, content: dict[str, Any], hearts: list[Any], total: int) -> Page:
        return replace(super().page(wanted, content, hearts, total), total=float(total))  # type: ignore[arg-type]


class ReadsInCircles(Toy):
    def more(self, content: dict[str, Any]) -> str | None:
        following = super().more(content)
        return "2" if content["total"] == 4 else following


class GivesLists(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Any:
        return list((await super().poll(asker, wanted)).likes)


class SaysUnlikes(Toy):
    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        page = await super().poll(asker, wanted)
        return replace(page, likes=(*page.likes, "none"))  # type: ignore[arg-type]


class TogetherToy(Toy):
    """Reads public lists, several at once. Keeps the contract, too."""

    plan = replace(PLAN, needs_grant=False, together=2)

    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        answer = await asker.client.request(
            "GET",
            "https://api.toy.example/hearts",
            platform="toy",
            params={"of": ",".join(each.account.account_id for each in wanted)},
        )
        content = self.content(answer)
        if not isinstance(content, dict):
            raise Garbled("no lists")
        return [self.one(each, content.get(each.account.account_id)) for each in wanted]

    async def ask(self, asker: Asker, grant: Grant | None, path: str, params: dict[str, str] | None = None) -> Response:
        return await asker.client.request("GET", f"https://api.toy.example{path}", platform="toy", params=params)

    def one(self, wanted: Wanted, content: Any) -> Page | Exception:
        match content:
            case {"page": 1, "total": int(total), "hearts": list(hearts)} if (
                not isinstance(total, bool) and 0 <= total < 2**63 and content["page"] is not True
            ):
                try:
                    return self.page(wanted, content, hearts, total)
                except Unanswered as failure:
                    return failure
        return Garbled("no page of hearts")


class MixesAccountsUp(TogetherToy):
    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        return list(reversed(await super().poll_together(asker, wanted)))


class ForgetsSome(TogetherToy):
    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        results = await super().poll_together(asker, wanted)
        return [result for result in results if isinstance(result, Page)]


class GivesNobodysFailure(TogetherToy):
    def one(self, wanted: Wanted, content: Any) -> Page | Exception:
        result = super().one(wanted, content)
        return result if isinstance(result, Page) else LookupError("nobody")


def with_plan(**claims: Any) -> type[Toy]:
    """Toy with another plan."""
    return type("Toy", (Toy,), {"plan": replace(PLAN, **claims)})


def with_card(**claims: Any) -> type[Toy]:
    """Toy with another card."""
    return type("Toy", (Toy,), {"card": replace(CARD, **claims)})
