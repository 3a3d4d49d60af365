"""Vimeo asked: the likes of a member, what an address is, who signs in; never concluded from what is no answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from connectors import kit
from connectors.base import (
    Addresses,
    Asker,
    AskingConnector,
    CheckingConnector,
    KnownLike,
    ResolvingConnector,
)
from connectors.client import Allowance, Client, Garbled, Limited, Unanswered
from connectors.kit import linking
from connectors.kit.linking import SignIn
from connectors.linking import Expired, Grant, LinkingConnector, NotAdmitted, Withdrawn
from connectors.polling import Mark, Page, PollingConnector, Still, Wanted
from connectors.vimeo import connector
from core.events import AccountRef, Liked, ThingRef
from tests.platforms.misbehaving import Passing, Says, always
from tests.platforms.vimeo_api import FAULTS, FakeVimeo

ADA, CARA, DAN = "7", "28470614", "9"
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BACK = "https://hub.example/link/vimeo"
ACCOUNT = AccountRef(platform="vimeo", account_id=ADA)

CHECKS = kit.poll_checks(connector, Path(__file__).parent / "vimeo")


@dataclass
class Place:
    vimeo: FakeVimeo
    time: Passing
    client: Client
    memory: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    refresh_token: str | None = None

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.vimeo.secrets.items()}
        return Asker(
            client=self.client,
            secrets=secrets,
            settings=self.vimeo.settings,
            clock=self.time.clock,
            memory=self.memory,
        )

    @property
    def grant(self) -> Grant:
        return Grant(account=ACCOUNT, access_token=self.token, refresh_token=self.refresh_token)

    async def page(self, **mark: Any) -> Page:
        return await connector.poll(self.asker, Wanted(account=ACCOUNT, grant=self.grant, mark=Mark(**mark)))

    async def read(self, *, cursor: str | None = None, whole: bool = False) -> list[Page]:
        """One reading, to its end."""
        pages = [await self.page(cursor=cursor, whole=whole)]
        while pages[-1].more is not None:
            pages.append(await self.page(cursor=cursor, whole=whole, page=pages[-1].more))
        return pages

    async def still(self, number: str = "100") -> Still:
        thing = ThingRef(platform="vimeo", native_id=number, url=f"https://vimeo.com/{number}")
        return await connector.still(self.asker, self.grant, KnownLike(by=ACCOUNT, thing=thing))

    def likes(self, many: int, since: datetime = MONDAY) -> None:
        """So many more likes of Ada's, the last the newest, on films of which the last is the oldest."""
        for number in range(many):
            film = str(10_000 + number)
            if film not in self.vimeo.videos:
                self.vimeo.content(film, CARA, made=since - number * DAY)
            self.vimeo.like(ADA, film, since + number * MINUTE)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing()
    async with FakeVimeo(clock=time.clock) as vimeo:
        for number, name in ((ADA, "ada"), (CARA, "cara"), (DAN, "dan")):
            vimeo.user(number, name)
        vimeo.content("100", CARA, "A film")
        allowances = {"vimeo": Allowance(requests=100_000, seconds=60)}
        async with Client(hub="https://hub.example", chance=lambda: 0.5, allowances=allowances, **time.parts) as client:
            yield Place(vimeo, time, client, token=vimeo.lend(ADA).access_token)


def shown(pages: list[Page]) -> list[str]:
    return [like.thing.native_id for page in pages for like in page.likes]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


def test_it_is_all_that_a_polled_network_can_be() -> None:
    kinds = (PollingConnector, LinkingConnector, ResolvingConnector, AskingConnector, CheckingConnector)
    assert all(isinstance(connector, kind) for kind in kinds)
    assert connector.card.hosts == ("api.vimeo.com",)
    assert "current" not in connector.card.abilities, "only the member's own access shows a like"


# Published payloads

LISTED = {
    "me_likes_item_2024.json": Liked(
        by=ACCOUNT,
        thing=ThingRef(
            platform="vimeo",
            native_id="917286232",
            url="https://vimeo.com/917286232",
            title="SUSPENDED IN SPACE",
            tags=(
                "Suspended in Space and Time",
                "Canada\u2019s Yukon territory",
                "Documentary",
                "Short film",
                "Snow",
                "Skiing",
            ),
        ),
        author=AccountRef(
            platform="vimeo", account_id="28470614", handle="cameronthuman", url="https://vimeo.com/cameronthuman"
        ),
        at=datetime(2024, 3, 21, 21, 29, 9, tzinfo=UTC),
    ),
    # It says itself that it is not liked: there, but no like.
    "video_not_liked_2017.json": "29433509",
    # A fixture with made-up words for everything, also for the number.
    "clip_fixture.json": Garbled,
}


def test_every_published_payload_has_its_meaning(payloads: Path) -> None:
    assert {each.name for each in (payloads / "vimeo").iterdir()} == set(LISTED)


@pytest.mark.parametrize("name", LISTED)
async def test_a_published_item_in_a_list_of_likes(place: Place, payloads: Path, name: str) -> None:
    item = json.loads((payloads / "vimeo" / name).read_text())
    listed = {"total": 1, "page": 1, "per_page": 100, "paging": {"next": None}, "data": [item]}
    fake = await answering(place, {"/me/likes": listed})
    try:
        match LISTED[name]:
            case Liked() as like:
                (page,) = await place.read()
                assert [kit.said(each) for each in page.likes] == [kit.said(like)]
                assert (page.proves, page.total, page.cursor) == ("everything", 1, "2024-03-21T21:29:09+00:00")
            case str(native_id):
                (page,) = await place.read()
                assert (page.likes, page.besides) == ((), (native_id,))
            case failure:
                with pytest.raises(failure):
                    await place.read()
    finally:
        await fake.close()


async def test_the_published_video_that_is_not_liked_is_an_unlike(place: Place, payloads: Path) -> None:
    video = json.loads((payloads / "vimeo" / "video_not_liked_2017.json").read_text())
    fake = await answering(place, {"/videos/29433509": video}, missing=("/me/likes/29433509",))
    assert await place.still("29433509") == "unliked"
    await fake.close()


class Recorded(FakeVimeo):
    """Answers by path, as they were published."""

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self._answer)


async def answering(place: Place, answers: dict[str, Any], missing: tuple[str, ...] = ()) -> FakeVimeo:
    fake = Recorded(clock=place.time.clock)
    kind = {"content-type": "application/vnd.vimeo.video+json"}
    fake.answers = {path: always(200, json.dumps(value).encode(), kind) for path, value in answers.items()}
    fake.answers |= {path: always(404, b"{}", kind) for path in missing}
    await fake.start()
    place.vimeo = fake
    return fake


# Reading likes


async def test_all_pages_show_all_likes_with_their_own_times(place: Place) -> None:
    place.likes(250)
    pages = await place.read(whole=True)
    assert [len(page.likes) for page in pages] == [100, 100, 50]
    assert [page.proves for page in pages] == ["nothing", "nothing", "everything"]
    times = {like.thing.native_id: like.at for page in pages for like in page.likes}
    assert times == place.vimeo.users[ADA].likes
    assert {page.total for page in pages} == {250}
    assert pages[-1].cursor == max(place.vimeo.users[ADA].likes.values()).isoformat()
    assert {str(like.author) for page in pages for like in page.likes} == {f"vimeo:{CARA}"}


async def test_likes_of_one_second_are_not_lost_on_the_boundary(place: Place) -> None:
    for number in range(205):
        place.vimeo.content(str(20_000 + number), CARA)
        place.vimeo.like(ADA, str(20_000 + number), MONDAY)
    assert sorted(shown(await place.read(whole=True))) == sorted(place.vimeo.users[ADA].likes)
    again = await place.read(cursor=MONDAY.isoformat())
    assert sorted(shown(again)) == sorted(place.vimeo.users[ADA].likes)


async def test_a_time_in_the_future_is_no_mark(place: Place) -> None:
    place.vimeo.like(ADA, "100", MONDAY + 999 * DAY)
    assert (await place.read())[-1].cursor == place.time.clock().isoformat()


async def test_an_empty_list_is_one(place: Place) -> None:
    (page,) = await place.read(whole=True)
    assert (page.likes, page.total, page.proves, page.cursor) == ((), 0, "everything", None)


async def test_a_short_reading_ends_where_all_is_older_than_what_is_known(place: Place) -> None:
    place.likes(1_000)
    cursor = (await place.read(whole=True))[-1].cursor
    place.vimeo.like(ADA, "100", MONDAY + DAY)
    pages = await place.read(cursor=cursor)
    assert len(pages) == 2
    assert shown(pages)[0] == "100"
    assert (pages[-1].proves, pages[-1].cursor) == ("nothing", (MONDAY + DAY).isoformat())
    assert place.vimeo.asked[-2:] == ["/me/likes?page=1", "/me/likes?page=2"]


async def test_where_the_list_is_in_another_order_it_is_read_to_its_end(place: Place) -> None:
    """By the films' own dates an old film liked today comes last: no page before is a reason to stop."""
    place.vimeo.order = lambda video, _: -video.made.timestamp()
    place.likes(450)
    cursor = (await place.read(whole=True))[-1].cursor
    place.vimeo.content("99", CARA, made=MONDAY - 9999 * DAY)
    place.vimeo.like(ADA, "99", MONDAY + DAY)
    pages = await place.read(cursor=cursor)
    assert len(pages) == 5
    assert shown(pages)[-1] == "99"
    assert (pages[-1].proves, pages[-1].cursor) == ("everything", (MONDAY + DAY).isoformat())


async def test_a_complete_listing_never_ends_early(place: Place) -> None:
    place.likes(450)
    cursor = (MONDAY + 9 * DAY).isoformat()
    assert len(await place.read(cursor=cursor, whole=True)) == 5


async def test_a_like_that_moved_up_between_two_pages_is_not_passed_over(place: Place) -> None:
    place.likes(150)
    place.vimeo.before[2] = lambda: place.vimeo.unlike(ADA, "10149")
    with pytest.raises(Garbled, match="shorter"):
        await place.read(whole=True)
    assert len(shown(await place.read(whole=True))) == 149


async def test_a_like_that_comes_meanwhile_hides_none(place: Place) -> None:
    place.likes(150)
    place.vimeo.before[2] = lambda: place.vimeo.like(ADA, "100", MONDAY + DAY)
    pages = await place.read(whole=True)
    assert set(shown(pages)) == set(place.vimeo.users[ADA].likes) - {"100"}
    assert len(set(shown(pages))) != pages[-1].total, "by Vimeo's own count it is not complete"


async def test_what_cannot_be_seen_by_everybody_is_there_and_makes_no_like(place: Place) -> None:
    place.vimeo.content("101", CARA, view="users")
    place.vimeo.content("102", CARA, view="password")
    place.vimeo.content("103", CARA, view="unlisted", hash="8272103f6e")
    place.vimeo.content("104", CARA, view="nobody")
    for number in ("100", "101", "102", "103", "104"):
        place.vimeo.like(ADA, number, MONDAY)
    (page,) = await place.read(whole=True)
    assert shown([page]) == ["100", "103"]
    assert page.besides == ("101", "102")
    assert (page.proves, page.total) == ("everything", 4)
    assert page.likes[1].thing.url == "https://vimeo.com/103/8272103f6e"


async def test_nulls_are_no_accident(place: Place) -> None:
    place.vimeo.content("101", CARA, nulls=True)
    place.vimeo.content("102", None, name="")
    place.vimeo.like(ADA, "101", MONDAY)
    place.vimeo.like(ADA, "102", MONDAY)
    (page,) = await place.read(whole=True)
    assert [(like.thing.url, like.thing.title, like.author) for like in page.likes] == [
        ("https://vimeo.com/101", None, None),
        ("https://vimeo.com/102", None, None),
    ]


async def test_what_vimeo_counts_and_does_not_show_is_named_so(place: Place) -> None:
    place.likes(150)
    place.vimeo.withheld = {"10149", "10001"}
    pages = await place.read(whole=True)
    assert [page.besides for page in pages] == [("withheld:1:0",), ("withheld:2:0",)]
    assert len(shown(pages)) + 2 == pages[-1].total


async def test_an_answer_cut_short_under_way_comes_whole_the_second_time(place: Place) -> None:
    place.likes(30)
    place.vimeo.faults.append("shortened")
    (page,) = await place.read(whole=True)
    assert (len(page.likes), page.besides) == (30, ())
    assert place.vimeo.asked == ["/me/likes?page=1"] * 2


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_no_fault_hides_a_like_and_then_all_are_found(place: Place, fault: str, at: int) -> None:
    place.likes(250)
    place.vimeo.faults.extend([""] * at + [fault])
    pages: list[Page] = []
    with suppress(Unanswered, Withdrawn):
        pages = await place.read(whole=True)
    if pages and pages[-1].proves == "everything":
        assert len(set(shown(pages))) == 250, "a reading that is called complete is"
        assert pages[-1].total == 250
    place.vimeo.faults.clear()
    place.time.now += 7200
    assert len(shown(await place.read(whole=True))) == 250


@pytest.mark.parametrize("fault", ["429", "500", "503 html", "cut"])
async def test_a_passing_fault_is_survived(place: Place, fault: str) -> None:
    place.likes(3)
    place.vimeo.faults.append(fault)
    if fault == "429":
        with pytest.raises(Limited) as limited:
            await place.read()
        assert limited.value.retry_after >= 60
    else:
        assert len(shown(await place.read())) == 3


async def test_the_member_s_minute_is_kept_as_vimeo_tells_it(place: Place) -> None:
    place.vimeo.limit = 10
    place.likes(950)
    assert len(shown(await place.read(whole=True))) == 950
    with pytest.raises(Limited) as limited:
        await place.read()
    assert 0 < limited.value.retry_after <= 61
    assert len(place.vimeo.asked) == 10, "the eleventh is not even asked"
    place.time.now += limited.value.retry_after
    await place.read(cursor=(MONDAY + 9 * DAY).isoformat())
    assert max(place.vimeo.spent.values()) == 10


async def test_an_access_that_ended_is_told(place: Place) -> None:
    place.vimeo.withdraw(ADA)
    with pytest.raises(Withdrawn):
        await place.read()
    with pytest.raises(Withdrawn):
        await place.still()
    place.refresh_token = "refresh"
    with pytest.raises(Expired):
        await place.read()
    with pytest.raises(Withdrawn):
        await connector.poll(place.asker, Wanted(account=ACCOUNT))


# One like


async def test_still_is_vimeo_s_own_word(place: Place) -> None:
    place.vimeo.like(ADA, "100", MONDAY)
    assert await place.still() == "liked"
    place.vimeo.unlike(ADA, "100")
    assert await place.still() == "unliked"
    assert await place.still("not a number") == "unknown"


@pytest.mark.parametrize(
    "hide",
    [
        pytest.param(lambda vimeo: vimeo.remove("100"), id="deleted"),
        pytest.param(lambda vimeo: setattr(vimeo.videos["100"], "view", "nobody"), id="private"),
        pytest.param(lambda vimeo: vimeo.videos.pop("100"), id="unknown"),
    ],
)
async def test_content_that_is_gone_is_no_unlike(place: Place, hide: Any) -> None:
    hide(place.vimeo)
    assert await place.still() == "gone"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", [0, 1])
async def test_no_fault_makes_an_unlike(place: Place, fault: str, at: int) -> None:
    place.vimeo.like(ADA, "100", MONDAY)
    place.vimeo.faults.extend([""] * at + [fault] * 8)
    with suppress(Unanswered, Withdrawn):
        assert await place.still() != "unliked"


# Signing in


@pytest.fixture(params=["without an end", "with an end"])
async def sign_in(place: Place, request: pytest.FixtureRequest) -> SignIn:
    if request.param == "with an end":
        place.vimeo.lives, place.vimeo.refreshes = timedelta(hours=1), True
    return SignIn(
        connector=connector,
        asker=place.asker,
        account=ACCOUNT,
        consent=lambda url: place.vimeo.consent(url, ADA),
        decline=place.vimeo.decline,
        spoil=lambda status, body: place.vimeo.suffer(Says(status, {}, body)),
        asked=lambda: len(place.vimeo.heard),
        withdraw=lambda: place.vimeo.withdraw(ADA),
        intents=("link", "receive"),
        scopes={"link": ("public", "private"), "receive": ("public", "private")},
    )


@pytest.mark.parametrize("check", linking.CHECKS, ids=str)
async def test_signing_in_keeps_its_rules(check: linking.LinkingCheck, sign_in: SignIn) -> None:
    await check(sign_in)


async def arrive(place: Place, user: str = ADA, **wrong: Any) -> Any:
    going = await connector.authorize(place.asker, state="s" * 43, callback=BACK, intent="link")
    back = await place.vimeo.consent(going.url, user)
    query = dict(parse_qsl(urlsplit(back).query)) | wrong
    assert query["state"] == "s" * 43
    return (
        await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link"),
        query,
        going,
    )


async def test_signing_in_tells_the_account_by_its_number(place: Place) -> None:
    place.vimeo.callbacks = {BACK}
    admission, _, going = await arrive(place)
    assert (admission.account, admission.account.handle) == (ACCOUNT, "ada")
    assert admission.account.url == "https://vimeo.com/ada"
    (grant,) = admission.grants
    assert (grant.account, grant.scopes, grant.expires_at) == (ACCOUNT, ("public", "private"), None)
    assert dict(parse_qsl(urlsplit(going.url).query))["scope"] == "public private"
    place.likes(2)
    page = await connector.poll(place.asker, Wanted(account=ACCOUNT, grant=grant))
    assert len(page.likes) == 2


async def test_a_code_is_good_for_once(place: Place) -> None:
    _, query, going = await arrive(place)
    with pytest.raises(NotAdmitted, match="again"):
        await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link")


async def test_who_declines_is_told_so(place: Place) -> None:
    going = await connector.authorize(place.asker, state="s", callback=BACK, intent="link")
    query = dict(parse_qsl(urlsplit(await place.vimeo.decline(going.url)).query))
    with pytest.raises(NotAdmitted) as declined:
        await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link")
    assert declined.value.declined


async def test_a_forged_code_admits_nobody(place: Place) -> None:
    with pytest.raises(NotAdmitted):
        await arrive(place, code="forged")


async def test_what_is_given_back_is_over(place: Place) -> None:
    admission, _, _ = await arrive(place)
    (grant,) = admission.grants
    await connector.revoke(place.asker, grant)
    assert place.vimeo.access_by(grant.access_token) is None
    await connector.revoke(place.asker, grant)
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, grant)


async def test_an_end_and_its_refresh_token_are_honoured_where_vimeo_gives_them(place: Place) -> None:
    place.vimeo.lives, place.vimeo.refreshes = timedelta(hours=1), True
    admission, _, _ = await arrive(place)
    (grant,) = admission.grants
    assert grant.expires_at == place.time.clock() + timedelta(hours=1)
    place.time.now += 4000
    with pytest.raises(Expired):
        await connector.poll(place.asker, Wanted(account=ACCOUNT, grant=grant))
    renewed = await connector.refresh(place.asker, grant)
    assert (await connector.poll(place.asker, Wanted(account=ACCOUNT, grant=renewed))).total == 0
    place.vimeo.withdraw(ADA)
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, renewed)


# Addresses

VIDEO = "https://vimeo.com/76979871"
HASHED = "https://vimeo.com/76979871/8272103f6e"
PROFILE = "https://vimeo.com/cameronthuman"


@pytest.mark.parametrize(
    ("url", "native_id", "address"),
    [
        ("https://vimeo.com/76979871", "76979871", VIDEO),
        ("http://www.vimeo.com/76979871/", "76979871", VIDEO),
        ("https://vimeo.com/76979871?share=copy&fl=sv#t=1m2s", "76979871", VIDEO),
        ("https://vimeo.com/m/76979871", "76979871", VIDEO),
        ("https://m.vimeo.com/76979871", "76979871", VIDEO),
        ("https://vimeo.com/76979871/8272103f6e", "76979871", HASHED),
        ("https://vimeo.com/76979871/8272103f6e?share=copy", "76979871", HASHED),
        ("https://vimeo.com/76979871/settings", "76979871", VIDEO),
        ("https://player.vimeo.com/video/76979871", "76979871", VIDEO),
        ("https://player.vimeo.com/video/76979871?h=8272103f6e&badge=0", "76979871", HASHED),
        ("https://vimeo.com/channels/staffpicks/76979871", "76979871", VIDEO),
        ("https://vimeo.com/groups/shortfilms/videos/76979871", "76979871", VIDEO),
        ("https://vimeo.com/album/2222222/video/76979871", "76979871", VIDEO),
        ("https://vimeo.com/showcase/2222222/video/76979871", "76979871", VIDEO),
        ("https://vimeo.com/ondemand/somefilm/76979871", "76979871", VIDEO),
        ("https://vimeo.com/manage/videos/76979871/8272103f6e", "76979871", HASHED),
        ("https://vimeo.com/videos/76979871", "76979871", VIDEO),
        ("https://vimeo.com/cameronthuman", PROFILE, PROFILE),
        ("https://www.vimeo.com/cameronthuman/?utm_source=x", PROFILE, PROFILE),
        ("https://vimeo.com/user5675338", "https://vimeo.com/user5675338", "https://vimeo.com/user5675338"),
        ("https://vimeo.com/cameronthuman/space", f"{PROFILE}/space", f"{PROFILE}/space"),
    ],
)
def test_every_shape_of_address_names_its_thing(url: str, native_id: str, address: str) -> None:
    found = connector.resolve(url)
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.url, author) == (native_id, address, None)
    assert thing.platform == ("vimeo" if native_id.isdigit() else "web")


@pytest.mark.parametrize(
    "url",
    [
        "https://vimeo.com/",
        "https://vimeo.com/upload",
        "https://vimeo.com/event/12345",
        "https://vimeo.com/channels/staffpicks",
        "https://vimeo.com/cameronthuman/videos",
        "https://vimeo.com/ondemand/somefilm",
        "https://vimeo.com/a/b/c",
        "https://vimeo.com/" + "9" * 40 + "/x/y",
        "https://vimeo.com:8080/76979871",
        "https://vimeo.com/076979871",
        "https://vimeo.com/0",
        "https://vimeo.com.evil.example/76979871",
        "https://player.vimeo.com/76979871",
        "https://example.org/76979871",
        "javascript:alert(1)",
        "not an address",
    ],
)
def test_other_addresses_are_not_ours(url: str) -> None:
    assert connector.resolve(url) is None


async def look_up(place: Place, url: str) -> Any:
    return await connector.look_up(place.asker, url)


async def test_an_address_leads_to_the_video_and_its_maker(place: Place) -> None:
    thing, author = await look_up(place, "https://player.vimeo.com/video/100")
    assert (thing.native_id, thing.url, thing.title) == ("100", "https://vimeo.com/100", "A film")
    assert (author.account_id, author.handle) == (CARA, "cara")
    await look_up(place, "https://vimeo.com/100")
    tokens = [each for each in place.vimeo.heard if each.path == "/oauth/authorize/client"]
    assert len(tokens) == 1, "the hub's own token is remembered"


async def test_an_unlisted_video_needs_its_hash(place: Place) -> None:
    place.vimeo.content("103", CARA, view="unlisted", hash="8272103f6e")
    thing, author = await look_up(place, "https://vimeo.com/103/8272103f6e")
    assert (thing.native_id, thing.url) == ("103", "https://vimeo.com/103/8272103f6e")
    assert author.account_id == CARA
    assert await look_up(place, "https://vimeo.com/103") is None


async def test_a_member_s_address_leads_to_their_number(place: Place) -> None:
    thing, author = await look_up(place, "https://vimeo.com/cara")
    assert (thing.platform, thing.native_id, thing.url) == ("vimeo", f"user:{CARA}", "https://vimeo.com/cara")
    assert (author.account_id, author.handle) == (CARA, "cara")
    assert await look_up(place, "https://vimeo.com/nobody-at-all") is None


async def test_a_member_s_own_address_for_a_video_leads_to_its_number(place: Place) -> None:
    place.vimeo.content("105", CARA, link="https://vimeo.com/cara/space")
    thing, author = await look_up(place, "https://vimeo.com/cara/space")
    assert (thing.native_id, thing.url, author.account_id) == ("105", "https://vimeo.com/cara/space", CARA)
    assert await look_up(place, "https://vimeo.com/cara/time") is None


async def test_what_is_hidden_or_gone_is_nothing(place: Place) -> None:
    place.vimeo.content("101", CARA, view="users")
    place.vimeo.remove("100")
    for url in ("https://vimeo.com/100", "https://vimeo.com/101", "https://vimeo.com/999", "https://example.org/1"):
        assert await look_up(place, url) is None


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("cut", "500", "503 html")])
async def test_a_faulted_answer_names_nobody_else(place: Place, fault: str) -> None:
    place.vimeo.faults.extend([fault] * 4)
    with suppress(Unanswered):
        found = await look_up(place, "https://vimeo.com/100")
        assert found is None or found[1].account_id == CARA
    place.vimeo.faults.clear()
    place.time.now += 7200
    assert (await look_up(place, "https://vimeo.com/100"))[1].account_id == CARA


async def test_nothing_can_be_said_of_a_like_without_the_member(place: Place) -> None:
    thing = ThingRef(platform="vimeo", native_id="100", url="https://vimeo.com/100")
    assert await connector.current(place.asker, KnownLike(by=ACCOUNT, thing=thing)) is None
    assert place.vimeo.heard == []


# The operator's set-up


async def test_the_check_tries_the_secrets_and_names_the_remedy(place: Place) -> None:
    here = Addresses(deliveries="", callback=BACK)
    (good,) = await connector.check(place.asker, here)
    assert good.ok
    assert BACK in good.text
    wrong = Asker(
        client=place.client,
        secrets={"client_id": (b"hub-client",), "client_secret": (b"x",)},
        settings=place.vimeo.settings,
    )
    (bad,) = await connector.check(wrong, here)
    assert (bad.ok, bad.text) == (False, "Vimeo does not accept them")
    assert "developer.vimeo.com/apps" in bad.remedy
    (unset,) = await connector.check(Asker(client=place.client), here)
    assert (unset.ok, unset.text) == (False, "not both are set")
