"""Dailymotion keeps the contracts of polled networks and of sign-in; what its payloads and addresses mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import kit
from connectors.base import Addresses, Asker, AskingConnector, CheckingConnector, KnownLike, ResolvingConnector
from connectors.client import Client, Unanswered
from connectors.dailymotion import connector
from connectors.kit import linking as kit_linking
from connectors.linking import Expired, Grant, LinkingConnector, Withdrawn
from connectors.polling import Mark, Page, PollingConnector, Wanted
from core.events import AccountRef, ThingRef
from tests.platforms.dailymotion_api import FAULTS, FakeDailymotion
from tests.platforms.misbehaving import CUTS, DROPS, Passing, Says

CHECKS = kit.poll_checks(connector, Path(__file__).parent / "dailymotion")
ADA, CARA = "x1ada", "x2cara"
ME = AccountRef(platform="dailymotion", account_id=ADA)
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Place:
    """The fake, and the connector over the hub's real client."""

    fake: FakeDailymotion
    time: Passing
    client: Client
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.fake.secrets.items()}
        return Asker(
            client=self.client,
            secrets=secrets,
            settings=self.fake.settings,
            clock=self.time.clock,
            memory=self.memory,
        )

    def grant(self) -> Grant:
        lent = self.fake.lend(ADA)
        return Grant(account=ME, access_token=lent.access_token, refresh_token=lent.refresh_token)

    async def read(self, cursor: str | None = None, *, whole: bool = False, grant: Grant | None = None) -> list[Page]:
        grant = grant or self.grant()
        pages: list[Page] = []
        mark = Mark(cursor=cursor, whole=whole)
        while True:
            pages.append(await connector.poll(self.asker, Wanted(account=ME, grant=grant, mark=mark)))
            if pages[-1].more is None:
                return pages
            mark = Mark(cursor=cursor, page=pages[-1].more, whole=whole)


def ids(pages: list[Page]) -> set[str]:
    return {like.thing.native_id for page in pages for like in page.likes}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing(MONDAY)
    async with FakeDailymotion(clock=time.clock) as fake, Client(hub="https://hub.example", **time.parts) as client:
        fake.user(ADA, "ada")
        fake.user(CARA, "cara", "Cara Films")
        yield Place(fake, time, client)


def films(fake: FakeDailymotion, many: int, liked: bool = True) -> list[str]:
    names = [f"x8f{number:04}" for number in range(many)]
    for number, name in enumerate(names):
        fake.content(name, CARA, f"Film {number}")
        if liked:
            fake.like(ADA, name, MONDAY - HOUR * number)
    return names


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


@pytest.mark.parametrize(
    "protocol", [PollingConnector, LinkingConnector, AskingConnector, ResolvingConnector, CheckingConnector]
)
def test_it_can_all_that_its_card_says(protocol: type) -> None:
    assert isinstance(connector, protocol)


# Signing in


@pytest.mark.parametrize("check", kit_linking.CHECKS, ids=str)
async def test_signing_in(check: kit_linking.LinkingCheck, place: Place) -> None:
    await check(
        kit_linking.SignIn(
            connector=connector,
            asker=place.asker,
            account=ME,
            consent=lambda url: place.fake.consent(url, ADA),
            decline=place.fake.decline,
            spoil=lambda status, body: place.fake.suffer(Says(status, body=body)),
            asked=lambda: len(place.fake.heard),
            withdraw=lambda: place.fake.withdraw(ADA),
            intents=("link", "receive"),
            scopes={"link": {"userinfo"}, "receive": {"userinfo"}},
        )
    )


async def test_a_token_that_is_refused_at_once_admits_nobody(place: Place) -> None:
    callback = "https://hub.example/back"
    departure = await connector.authorize(place.asker, state="s", callback=callback, intent="link")
    place.fake.suffer(Says(200, {}, b'{"access_token": "a", "token_type": "bearer"}'), Says(401, {}, b'{"error": {}}'))
    with pytest.raises(Unanswered, match="sign in again"):
        await connector.exchange(
            place.asker, query={"code": "c"}, kept=departure.kept, callback=callback, intent="link"
        )


async def signed_in(place: Place, intent: Any = "link") -> Any:
    callback = "https://hub.example/back"
    departure = await connector.authorize(place.asker, state="s", callback=callback, intent=intent)
    back = await place.fake.consent(departure.url, ADA)
    query = dict(each.split("=") for each in back.partition("?")[2].split("&"))
    return await connector.exchange(place.asker, query=query, kept=departure.kept, callback=callback, intent=intent)


async def test_the_account_is_named_and_its_access_ends_in_ten_hours(place: Place) -> None:
    admission = await signed_in(place)
    assert (admission.account.handle, admission.account.url) == ("ada", "https://www.dailymotion.com/ada")
    (grant,) = admission.grants
    assert grant.expires_at == MONDAY + 10 * HOUR
    assert await place.read(grant=grant)


async def test_who_only_receives_lends_nothing(place: Place) -> None:
    assert (await signed_in(place, "receive")).grants == ()


async def test_a_token_that_has_ended_is_refreshed(place: Place) -> None:
    (grant,) = (await signed_in(place)).grants
    place.time.now += 36_000
    with pytest.raises(Expired):
        await place.read(grant=grant)
    fresh = await connector.refresh(place.asker, grant)
    assert fresh.refresh_token == grant.refresh_token, "Dailymotion's is usable again"
    assert len(await place.read(grant=fresh)) == 1


async def test_access_given_back_is_withdrawn(place: Place) -> None:
    (grant,) = (await signed_in(place)).grants
    await connector.revoke(place.asker, grant)
    with pytest.raises(Expired):
        await place.read(grant=grant)
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, grant)


# Polling


async def test_a_list_of_many_pages_is_read_to_its_end(place: Place) -> None:
    names = films(place.fake, 250)
    pages = await place.read()
    assert [len(page.likes) for page in pages] == [100, 100, 50]
    assert (pages[-1].proves, pages[-1].total, ids(pages)) == ("everything", 250, set(names))
    assert pages[-1].likes[0].at is None, "no field tells when a like was given"


async def test_a_glance_is_enough_where_nothing_changed(place: Place) -> None:
    films(place.fake, 3)
    cursor = (await place.read())[-1].cursor
    place.fake.asked.clear()
    assert await place.read(cursor) == [Page(likes=())]
    assert place.fake.asked == ["/me/likes?page=1&limit=1"]
    assert (await place.read(cursor, whole=True))[-1].proves == "everything"


@pytest.mark.parametrize("act", ["like", "unlike the first", "unlike the last"])
async def test_a_glance_shows_a_change(place: Place, act: str) -> None:
    names = films(place.fake, 3)
    cursor = (await place.read())[-1].cursor
    match act:
        case "like":
            place.fake.content("x9new", CARA)
            place.fake.like(ADA, "x9new", MONDAY + HOUR)
        case "unlike the first":
            place.fake.unlike(ADA, names[0])
        case _:
            place.fake.unlike(ADA, names[-1])
    pages = await place.read(cursor)
    assert pages[-1].proves == "everything"
    assert ids(pages) == set(place.fake.people[ADA].likes)


async def test_the_order_of_the_list_means_nothing(place: Place) -> None:
    names = films(place.fake, 150)
    place.fake.order = lambda video, _: video[::-1]
    pages = await place.read()
    assert (ids(pages), pages[-1].proves) == (set(names), "everything")


async def test_beyond_a_thousand_nothing_is_proved(place: Place) -> None:
    films(place.fake, 1_005)
    pages = await place.read()
    assert (len(pages), len(ids(pages)), pages[-1].proves, pages[-1].total) == (10, 1_000, "nothing", None)
    assert max(int(each.partition("page=")[2].partition("&")[0]) for each in place.fake.asked) == 10


async def test_999_are_a_whole_list(place: Place) -> None:
    films(place.fake, 999)
    assert (await place.read())[-1].proves == "everything"


async def test_what_is_counted_and_not_shown_is_seen_by_the_total(place: Place) -> None:
    names = films(place.fake, 3)
    place.fake.ghosts = 1
    (page,) = await place.read()
    assert (ids([page]), page.total) == (set(names), 4)


@pytest.mark.parametrize("act", ["like", "unlike"])
async def test_a_list_that_changes_while_it_is_read_is_none(place: Place, act: str) -> None:
    names = films(place.fake, 250)
    place.fake.content("x9new", CARA)
    act_now = {
        "like": lambda: place.fake.like(ADA, "x9new", MONDAY + HOUR),
        "unlike": lambda: place.fake.unlike(ADA, names[0]),
    }
    place.fake.before[2] = act_now[act]
    with pytest.raises(Unanswered, match="changed"):
        await place.read()
    assert (await place.read())[-1].proves == "everything"


async def test_explicit_videos_are_listed_like_all_others(place: Place) -> None:
    films(place.fake, 2)
    place.fake.videos["x8f0001"].explicit = True
    (page,) = await place.read()
    assert (len(page.likes), page.proves) == (2, "everything")


async def test_an_empty_list_is_believed_after_a_day(place: Place) -> None:
    films(place.fake, 1)
    cursor = (await place.read())[-1].cursor
    place.fake.unlike(ADA, "x8f0000")
    for hours in range(24):
        place.time.now = hours * 3600
        (page,) = await place.read(cursor, whole=True)
        cursor = page.cursor
        assert page.proves == "nothing", hours
    place.time.now = 24 * 3600
    (page,) = await place.read(cursor, whole=True)
    assert page.proves == "everything"
    assert (await place.read(page.cursor, whole=True))[-1].proves == "everything"


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("429", "500", "503 html")])
@pytest.mark.parametrize("many", [3, 150])
async def test_no_fault_makes_a_listing_that_misses_likes(place: Place, fault: str, many: int) -> None:
    names = films(place.fake, many)
    grant = place.grant()
    cursor = (await place.read(grant=grant))[-1].cursor
    for at in range(2):
        place.fake.faults.extend([""] * at + [fault])
        try:
            pages = await place.read(cursor, whole=True, grant=grant)
        except Unanswered:
            continue
        finally:
            place.fake.faults.clear()
        last = pages[-1]
        assert last.proves == "nothing" or last.total != len(ids(pages)) or ids(pages) == set(names)
    assert (await place.read(cursor, whole=True, grant=grant))[-1].proves == "everything"


@pytest.mark.parametrize("fault", ["429", "500", "503 html"])
async def test_an_unwell_platform_is_asked_again(place: Place, fault: str) -> None:
    films(place.fake, 3)
    place.fake.faults.extend([fault] * 2)
    assert (await place.read())[-1].proves == "everything"
    place.fake.faults.extend([fault] * 4)
    with pytest.raises(Unanswered):
        await place.read()


@pytest.mark.parametrize("fault", [DROPS, CUTS])
async def test_a_lost_answer_is_asked_for_again(place: Place, fault: str) -> None:
    films(place.fake, 3)
    place.fake.suffer(fault, fault)
    assert (await place.read())[-1].proves == "everything"


def known(video: str) -> KnownLike:
    url = f"https://www.dailymotion.com/video/{video}"
    return KnownLike(by=ME, thing=ThingRef(platform="dailymotion", native_id=video, url=url))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda fake: None, "unliked"),
        (lambda fake: fake.remove("x8f0000"), "gone"),
        (lambda fake: setattr(fake.videos["x8f0000"], "private", True), "gone"),
        (lambda fake: setattr(fake.videos["x8f0000"], "status", "deleted"), "gone"),
        (lambda fake: setattr(fake.videos["x8f0000"], "status", "rejected"), "gone"),
        (lambda fake: setattr(fake.videos["x8f0000"], "status", "processing"), "unknown"),
        (lambda fake: setattr(fake.videos["x8f0000"], "closed", True), "unknown"),
    ],
    ids=["there", "removed", "private", "deleted", "rejected", "processing", "closed"],
)
async def test_what_left_the_list_was_unliked_only_if_it_is_there(place: Place, change: Any, word: str) -> None:
    films(place.fake, 1, liked=False)
    change(place.fake)
    assert await connector.still(place.asker, place.grant(), known("x8f0000")) == word


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulted_answer_says_nothing_about_a_like(place: Place, fault: str) -> None:
    films(place.fake, 1, liked=False)
    grant = place.grant()
    place.fake.faults.extend([fault] * 4)
    lists_only = FAULTS.index(fault) >= FAULTS.index("shortened")
    try:
        word = await connector.still(place.asker, grant, known("x8f0000"))
    except Unanswered:
        return
    assert word == ("unliked" if lists_only else "unknown")


# Payloads and addresses

ITEM = {"private": False}
PAYLOADS: dict[str, tuple[str, Any]] = {
    "videos_list_2026.json": (
        "page",
        [("x6emf", "Linux-Kernel"), ("xarh0cm", "Membongkar Kernel Linux")],
    ),
    "video_item_2012.json": ("item", ("xs8sib", "Queen - We Are The Champions (LIVE)")),
    "list_empty.json": ("page", []),
    "error_404_video.json": ("gone", None),
    "v2_error_404.json": ("error", "another API: it says nothing of ours"),
    "v2_me.json": ("error", "another API"),
    "v2_webhook_config_request.json": ("error", "what a hub would send; no answer"),
}


def test_every_published_payload_is_in_the_table(payloads: Path) -> None:
    assert {each.name for each in (payloads / "dailymotion").glob("*.json")} == set(PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_published_payload_means_what_the_table_says(place: Place, payloads: Path, name: str) -> None:
    kind, meaning = PAYLOADS[name]
    said = json.loads((payloads / "dailymotion" / name).read_text())
    if kind in ("page", "item"):
        # Published trimmed: the frame is what the very question of ours would have brought.
        videos = said["list"] if kind == "page" else [said]
        frame = {"page": 1, "limit": 100, "explicit": True, "total": len(videos), "has_more": False}
        place.fake.suffer(Says(200, body=json.dumps(frame | {"list": videos}).encode()))
        (page,) = await place.read()
        shown = [(like.thing.native_id, like.thing.title) for like in page.likes]
        assert shown == (meaning if kind == "page" else [meaning])
        assert {like.thing.url for like in page.likes} == {
            f"https://www.dailymotion.com/video/{number}" for number, _ in shown
        }
        assert {like.author for like in page.likes} <= {None}, "the samples were asked for without owner.id"
        return
    status = said.get("error", {}).get("code", 200)
    place.fake.suffer(Says(status if isinstance(status, int) else 404, body=json.dumps(said).encode()))
    word = await connector.still(place.asker, place.grant(), known("xnotfound"))
    assert word == ("gone" if kind == "gone" else "unknown")
    place.fake.suffer(Says(200, body=json.dumps(said).encode()))
    with pytest.raises(Unanswered):
        await place.read()


VIDEO = ("dailymotion", "x8abc12", "https://www.dailymotion.com/video/x8abc12")
CHANNEL = ("web", "https://www.dailymotion.com/cara", "https://www.dailymotion.com/cara")


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("https://www.dailymotion.com/video/x8abc12", VIDEO),
        ("http://dailymotion.com/video/x8abc12/", VIDEO),
        ("https://www.dailymotion.com/video/x8abc12?playlist=x7&start=30#t", VIDEO),
        ("http://www.dailymotion.com/video/x8abc12_a-slug-of-the-title_music", VIDEO),
        ("https://www.dailymotion.com/us/video/x8abc12", VIDEO),
        ("https://www.dailymotion.com/fr-FR/video/x8abc12", VIDEO),
        ("https://touch.dailymotion.com/video/x8abc12", VIDEO),
        ("https://m.dailymotion.com/video/x8abc12", VIDEO),
        ("https://dai.ly/x8abc12", VIDEO),
        ("http://dai.ly/x8abc12?utm_source=a", VIDEO),
        ("https://www.dailymotion.com/embed/video/x8abc12?autoplay=1", VIDEO),
        ("http://www.dailymotion.com/swf/video/x8abc12", VIDEO),
        ("http://www.dailymotion.com/swf/x8abc12", VIDEO),
        ("https://geo.dailymotion.com/player.html?video=x8abc12", VIDEO),
        ("https://geo.dailymotion.com/player/xw123.html?video=x8abc12&mute=true", VIDEO),
        ("https://www.dailymotion.com/playlist/x7tgdn?video=x8abc12", VIDEO),
        ("https://www.dailymotion.com/cara", CHANNEL),
        ("http://www.dailymotion.com/cara/", CHANNEL),
        ("https://www.dailymotion.com/user/cara", CHANNEL),
        ("https://www.dailymotion.com/playlist/x7tgdn", None),
        ("https://www.dailymotion.com/search/cats/videos", None),
        ("https://www.dailymotion.com/upload", None),
        ("https://www.dailymotion.com/", None),
        ("https://www.dailymotion.com/video/", None),
        ("https://www.dailymotion.com/video/a%20b", None),
        ("https://dai.ly/", None),
        ("https://www.dailymotion.com:8443/video/x8abc12", None),
        ("https://www.dailymotion.com.evil.example/video/x8abc12", None),
        ("https://vimeo.com/video/x8abc12", None),
        ("javascript:alert(1)", None),
    ],
)
def test_an_address_names_a_video_or_a_channel(url: str, means: tuple[str, str, str] | None) -> None:
    found = connector.resolve(url)
    assert (found and (found[0].platform, found[0].native_id, found[0].url)) == means
    assert found is None or found[1] is None


async def test_an_address_leads_to_the_video_and_its_owner(place: Place) -> None:
    place.fake.content("x8abc12", CARA, "Q&amp;A", tags=["live"])
    found = await connector.look_up(place.asker, "https://dai.ly/x8abc12")
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.title, thing.tags) == ("x8abc12", "Q&A", ("shortfilms", "live"))
    assert (author, author and author.handle) == (AccountRef(platform="dailymotion", account_id=CARA), "cara")
    assert "authorization" not in place.fake.heard[-1].headers


async def test_an_address_leads_to_the_channel(place: Place) -> None:
    found = await connector.look_up(place.asker, "https://www.dailymotion.com/CARA")
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.url, thing.title) == (
        f"user:{CARA}",
        "https://www.dailymotion.com/cara",
        "Cara Films",
    )
    assert author == AccountRef(platform="dailymotion", account_id=CARA)


async def test_what_is_hidden_or_not_there_is_nothing(place: Place) -> None:
    place.fake.content("x8priv", CARA, private=True)
    place.fake.content("x8closed", CARA, closed=True)
    for name in ("video/x8priv", "video/x8closed", "video/x8none", "nobody", "search/cats"):
        assert await connector.look_up(place.asker, f"https://www.dailymotion.com/{name}") is None


@pytest.mark.parametrize("fault", ["cut", "200 html", "an error under 200", "a list", "429", "500"])
async def test_a_faulted_answer_tells_no_owner(place: Place, fault: str) -> None:
    place.fake.content("x8abc12", CARA)
    place.fake.faults.extend([fault] * 4)
    with pytest.raises(Unanswered):
        await connector.look_up(place.asker, "https://dai.ly/x8abc12")


async def test_nothing_is_said_about_a_like_without_its_owner(place: Place) -> None:
    assert await connector.current(place.asker, known("x8abc12")) is None
    assert place.fake.heard == []


WHERE = Addresses(deliveries="", callback="https://hub.example/link/dailymotion/callback")


async def test_a_good_key_is_told_from_a_bad_one(place: Place) -> None:
    assert [each.ok for each in await connector.check(place.asker, WHERE)] == [True, True]
    place.fake.client_secret = "another"
    old, key = await connector.check(
        Asker(client=place.client, secrets={"api_key": (b"hub-client",)}, settings=place.fake.settings), WHERE
    )
    assert (old.ok, key.ok) == (True, False)
    assert "Studio" in key.remedy
    assert place.fake.lent == []
