"""SoundCloud keeps the contracts of polled networks and of sign-in; what its payloads and addresses mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors import kit
from connectors.base import Addresses, Asker, AskingConnector, CheckingConnector, KnownLike, ResolvingConnector
from connectors.client import Client, Limited, Unanswered
from connectors.kit import linking as kit_linking
from connectors.linking import Expired, Grant, LinkingConnector, NotAdmitted, Withdrawn
from connectors.polling import Mark, Page, PollingConnector, Wanted
from connectors.soundcloud import _liked_at, _tags, _time, connector
from core.events import AccountRef, ThingRef
from tests.platforms.misbehaving import CUTS, DROPS, Passing, Says
from tests.platforms.soundcloud_api import FAULTS, FakeSoundCloud, Person

CHECKS = kit.poll_checks(connector, Path(__file__).parent / "soundcloud")
ADA, CARA = 77, 12345
ME = AccountRef(platform="soundcloud", account_id=f"soundcloud:users:{ADA}")
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Place:
    """The fake, and the connector over the hub's real client."""

    fake: FakeSoundCloud
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

    @property
    def ada(self) -> Person:
        return self.fake.people[ME.account_id]

    def grant(self) -> Grant:
        lent = self.fake.lend(ME.account_id)
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

    async def cursor(self) -> str:
        cursor = (await self.read(whole=True))[-1].cursor
        assert cursor is not None
        self.fake.asked.clear()
        return cursor


def ids(pages: list[Page]) -> set[str]:
    return {like.thing.native_id for page in pages for like in page.likes}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing(MONDAY)
    async with FakeSoundCloud(clock=time.clock) as fake, Client(hub="https://hub.example", **time.parts) as client:
        fake.user(ADA, "ada")
        fake.user(CARA, "cara", "Cara")
        yield Place(fake, time, client)


def songs(fake: FakeSoundCloud, many: int, *, kind: str = "tracks", first: int = 1000, liked: bool = True) -> list[str]:
    """The first is the one liked last."""
    names = []
    for number in range(first, first + many):
        work = fake.content(number, CARA, f"Song {number}", kind=kind)
        names.append(work.urn)
        if liked:
            fake.like(ME.account_id, work.urn, MONDAY - HOUR * (number - first + 1))
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
            consent=lambda url: place.fake.consent(url, ME.account_id),
            decline=place.fake.decline,
            spoil=lambda status, body: place.fake.suffer(Says(status, body=body)),
            asked=lambda: len(place.fake.heard),
            withdraw=lambda: place.fake.withdraw(ME.account_id),
            intents=("link", "receive"),
            pkce=True,
            scopes={"link": (), "receive": ()},
        )
    )


async def signed_in(place: Place, intent: Any = "link") -> Any:
    callback = "https://hub.example/back"
    departure = await connector.authorize(place.asker, state="s", callback=callback, intent=intent)
    back = await place.fake.consent(departure.url, ME.account_id)
    query = dict(parse_qsl(urlsplit(back).query))
    return await connector.exchange(place.asker, query=query, kept=departure.kept, callback=callback, intent=intent)


async def test_the_account_is_named_by_its_urn_and_its_access_ends_within_the_hour(place: Place) -> None:
    admission = await signed_in(place)
    assert admission.account == ME
    assert (admission.account.handle, admission.account.url) == ("ada", "https://soundcloud.com/ada")
    (grant,) = admission.grants
    assert grant.expires_at == MONDAY + timedelta(seconds=3599)
    assert await place.read(grant=grant)


async def test_a_token_that_is_refused_at_once_admits_nobody(place: Place) -> None:
    place.fake.suffer(Says(200, {}, b'{"access_token": "a", "token_type": "bearer"}'), Says(401, {}, b'{"code": 401}'))
    with pytest.raises(Unanswered, match="sign in again"):
        await signed_in(place)


async def test_who_only_receives_is_signed_out_at_once(place: Place) -> None:
    assert (await signed_in(place, "receive")).grants == ()
    assert place.fake.lent == []


async def test_a_refresh_token_is_usable_once(place: Place) -> None:
    (grant,) = (await signed_in(place)).grants
    place.time.now += 3600
    with pytest.raises(Expired):
        await place.read(grant=grant)
    fresh = await connector.refresh(place.asker, grant)
    assert fresh.refresh_token not in (None, grant.refresh_token)
    assert await place.read(grant=fresh)
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, grant)
    with pytest.raises(Expired):
        await place.read(grant=fresh)


@pytest.mark.parametrize(
    ("name", "status", "raised"),
    [
        ("issue80_refresh_reused.json", 401, Withdrawn),
        ("issue359_token_400.json", 400, Withdrawn),
        ("openapi_ErrorInvalidGrant.json", 400, Withdrawn),
        ("openapi_ErrorInvalidClient.json", 401, Unanswered),
        ("openapi_ErrorInvalidScope.json", 401, Unanswered),
        ("issue517_token_429.json", 429, Limited),
        ("issue212_429_token.json", 429, Limited),
    ],
)
async def test_a_published_refusal_ends_the_access_or_waits(
    place: Place, payloads: Path, name: str, status: int, raised: type[Exception]
) -> None:
    said = (payloads / "soundcloud" / name).read_bytes()
    place.fake.suffer(Says(status, body=said))
    with pytest.raises(raised):
        await connector.refresh(place.asker, place.grant())


async def test_a_published_token_answer_is_a_grant(place: Place, payloads: Path) -> None:
    place.fake.suffer(Says(200, body=(payloads / "soundcloud" / "issue80_token_response.json").read_bytes()))
    fresh = await connector.refresh(place.asker, place.grant())
    assert (fresh.access_token, fresh.refresh_token) == ("REDACTED-TOKEN", "REDACTED-TOKEN")
    assert fresh.expires_at == MONDAY + timedelta(seconds=3599)


async def test_unlinking_signs_out(place: Place) -> None:
    (grant,) = (await signed_in(place)).grants
    await connector.revoke(place.asker, grant)
    with pytest.raises(Expired):
        await place.read(grant=grant)
    assert place.fake.lent == []


async def test_without_an_account_nobody_is_admitted(place: Place) -> None:
    callback = "https://hub.example/back"
    departure = await connector.authorize(place.asker, state="s", callback=callback, intent="link")
    query = dict(parse_qsl(urlsplit(await place.fake.consent(departure.url, ME.account_id)).query))
    place.ada.number = 0
    with pytest.raises(NotAdmitted):
        await connector.exchange(place.asker, query=query, kept=departure.kept, callback=callback, intent="link")


# Polling


async def test_both_lists_are_read_to_their_ends(place: Place) -> None:
    tracks = songs(place.fake, 450)
    lists = songs(place.fake, 3, kind="playlists", first=1)
    pages = await place.read(whole=True)
    assert [len(page.likes) for page in pages] == [200, 200, 50, 3]
    assert (pages[-1].proves, ids(pages)) == ("everything", {*tracks, *lists})
    assert all(like.at is None for page in pages for like in page.likes), "what was there before needs no time"


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_like_is_of_the_account_that_uploaded(place: Place, wrapped: bool) -> None:
    place.fake.wrapped = wrapped
    place.fake.content(5, CARA, "Song", genre="Chillout", tag_list='idm "silk sofa"', permalink="song")
    place.fake.like(ME.account_id, "soundcloud:tracks:5", MONDAY)
    ((like,), _) = [page.likes for page in await place.read()]
    assert like.author == AccountRef(platform="soundcloud", account_id=f"soundcloud:users:{CARA}")
    assert (like.thing.url, like.thing.title) == ("https://soundcloud.com/cara/song", "Song")
    assert like.thing.tags == ("Chillout", "idm", "silk sofa")


async def test_a_reading_ends_where_the_last_one_began(place: Place) -> None:
    songs(place.fake, 450)
    cursor = await place.cursor()
    pages = await place.read(cursor)
    assert place.fake.asked == ["/me/likes/tracks?limit=200", "/me/likes/playlists?limit=200"]
    assert (pages[-1].proves, len(ids(pages))) == ("nothing", 200)
    place.fake.asked.clear()
    assert (await place.read(cursor, whole=True))[-1].proves == "everything"


async def test_a_short_list_is_always_a_whole_one(place: Place) -> None:
    names = songs(place.fake, 30)
    cursor = await place.cursor()
    place.fake.unlike(ME.account_id, names[3])
    pages = await place.read(cursor)
    assert (pages[-1].proves, ids(pages)) == ("everything", {*names} - {names[3]})


async def test_new_likes_are_timed_by_the_addresses_behind_them(place: Place) -> None:
    songs(place.fake, 220)
    cursor = await place.cursor()
    new = songs(place.fake, 3, first=5000, liked=False)
    for minutes, urn in enumerate(new):
        place.fake.like(ME.account_id, urn, MONDAY + timedelta(minutes=minutes, milliseconds=7))
    pages = await place.read(cursor)
    times = {like.thing.native_id: like.at for like in pages[0].likes if like.at is not None}
    assert times == {urn: MONDAY + timedelta(minutes=each, milliseconds=7) for each, urn in enumerate(new)}
    assert place.fake.asked == [
        "/me/likes/tracks?limit=200",
        *["/me/likes/tracks?limit=1"] * 3,
        "/me/likes/playlists?limit=200",
    ]


async def test_of_many_new_likes_the_newest_ten_are_timed(place: Place) -> None:
    songs(place.fake, 5)
    cursor = await place.cursor()
    new = songs(place.fake, 30, first=5000, liked=False)
    for minutes, urn in enumerate(new):
        place.fake.like(ME.account_id, urn, MONDAY + timedelta(minutes=minutes))
    (tracks, _) = await place.read(cursor)
    assert [like.at is not None for like in tracks.likes] == [True] * 10 + [False] * 25


async def test_new_playlists_are_timed_as_well(place: Place) -> None:
    songs(place.fake, 2, kind="playlists", first=1)
    cursor = await place.cursor()
    place.fake.content(50, CARA, kind="playlists")
    place.fake.like(ME.account_id, "soundcloud:playlists:50", MONDAY)
    pages = await place.read(cursor)
    assert [like.at for like in pages[-1].likes] == [MONDAY, None, None]


async def test_the_last_like_of_all_has_no_time(place: Place) -> None:
    cursor = await place.cursor()
    songs(place.fake, 1)
    (tracks, _) = await place.read(cursor)
    assert [like.at for like in tracks.likes] == [None]


async def test_an_address_that_tells_nothing_is_opaque(place: Place) -> None:
    songs(place.fake, 3)
    cursor = await place.cursor()
    place.fake.content(5000, CARA)
    place.fake.like(ME.account_id, "soundcloud:tracks:5000", MONDAY)
    place.fake.opaque = True
    (tracks, _) = await place.read(cursor)
    assert {like.at for like in tracks.likes} == {None}


async def test_a_list_that_moves_while_it_is_timed_gives_no_wrong_time(place: Place) -> None:
    songs(place.fake, 3)
    cursor = await place.cursor()
    songs(place.fake, 2, first=5000, liked=False)
    place.fake.like(ME.account_id, "soundcloud:tracks:5000", MONDAY)
    place.fake.before[2] = lambda: place.fake.like(ME.account_id, "soundcloud:tracks:5001", MONDAY + HOUR)
    (tracks, _) = await place.read(cursor)
    assert [like.at for like in tracks.likes] == [None] * 4
    assert [like.at for like in (await place.read(cursor))[0].likes[:2]] == [MONDAY + HOUR, MONDAY]


async def test_one_like_given_anew_does_not_hide_those_below_it(place: Place) -> None:
    names = songs(place.fake, 60)
    cursor = await place.cursor()
    new = songs(place.fake, 250, first=5000, liked=False)
    for minutes, urn in enumerate(new):
        place.fake.like(ME.account_id, urn, MONDAY + timedelta(minutes=minutes))
    place.fake.like(ME.account_id, names[30], MONDAY + 9 * HOUR)
    assert set(new) <= ids(await place.read(cursor))


async def test_unlikes_at_the_top_do_not_lose_the_place(place: Place) -> None:
    names = songs(place.fake, 450)
    cursor = await place.cursor()
    for urn in names[:40]:
        place.fake.unlike(ME.account_id, urn)
    assert len(await place.read(cursor)) == 2
    for urn in names[40:60]:
        place.fake.unlike(ME.account_id, urn)
    pages = await place.read(cursor)
    assert (len(pages), pages[-1].proves) == (3, "everything"), "nothing known is left: read to the end"


async def test_what_is_blocked_here_is_listed(place: Place) -> None:
    names = songs(place.fake, 3)
    for urn, access in zip(names, ("blocked", "preview", "playable"), strict=True):
        place.fake.works[urn].access = access
    assert ids(await place.read()) == set(names)


async def test_likes_that_are_counted_and_not_shown_were_not_taken_back(place: Place) -> None:
    names = songs(place.fake, 5)
    cursor: str | None = await place.cursor()
    place.fake.vanished.update(names[:2])
    for hours in (0, 1, 24, 71):
        place.time.now = hours * 3600
        page = (await place.read(cursor, whole=True))[-1]
        cursor = page.cursor
        assert page.proves == "nothing", hours
    place.fake.vanished.clear()
    page = (await place.read(cursor, whole=True))[-1]
    assert page.proves == "everything"
    assert "since" not in json.loads(page.cursor or "")


async def test_what_stays_counted_for_days_is_the_new_measure(place: Place) -> None:
    names = songs(place.fake, 5)
    cursor: str | None = await place.cursor()
    place.fake.counts = False
    place.fake.remove(names[0])
    for days, proves in ((0, "nothing"), (2, "nothing"), (3, "everything"), (4, "everything")):
        place.time.now = days * 86_400
        page = (await place.read(cursor, whole=True))[-1]
        cursor = page.cursor
        assert page.proves == proves, days
    place.fake.unlike(ME.account_id, names[1])
    assert (await place.read(cursor, whole=True))[-1].proves == "everything"


async def test_an_unlike_shows_in_list_and_count(place: Place) -> None:
    names = songs(place.fake, 5)
    place.ada.ghosts = 400
    cursor = await place.cursor()
    place.fake.unlike(ME.account_id, names[0])
    pages = await place.read(cursor, whole=True)
    assert (pages[-1].proves, len(ids(pages))) == ("everything", 4)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("429", "500", "504 text")])
@pytest.mark.parametrize("many", [4, 250])
async def test_no_fault_makes_a_listing_that_misses_likes(place: Place, fault: str, many: int) -> None:
    names = {*songs(place.fake, many), *songs(place.fake, 2, kind="playlists", first=1)}
    grant = place.grant()
    cursor = await place.cursor()
    for at in range(4):
        place.fake.faults.extend([""] * at + [fault])
        try:
            pages = await place.read(cursor, whole=True, grant=grant)
        except Unanswered:
            continue
        finally:
            place.fake.faults.clear()
        assert pages[-1].proves == "nothing" or ids(pages) == names, at
    assert (await place.read(cursor, whole=True, grant=grant))[-1].proves == "everything"


@pytest.mark.parametrize("fault", ["429", "500", "504 text"])
async def test_an_unwell_platform_is_asked_again(place: Place, fault: str) -> None:
    songs(place.fake, 3)
    place.fake.faults.extend([fault] * 2)
    assert (await place.read())[-1].proves == "everything"
    place.fake.faults.extend([fault] * 4)
    with pytest.raises(Unanswered):
        await place.read()


@pytest.mark.parametrize("fault", [DROPS, CUTS])
async def test_a_lost_answer_is_asked_for_again(place: Place, fault: str) -> None:
    songs(place.fake, 3)
    place.fake.suffer(fault, fault)
    assert (await place.read())[-1].proves == "everything"


async def test_the_token_stays_at_soundcloud(place: Place) -> None:
    songs(place.fake, 3)
    for elsewhere in (
        "https://evil.example/me/likes/tracks",
        place.fake.base.replace("127.0.0.1", "127.0.0.1@evil.example") + "/me/likes/tracks",
        place.fake.base.replace("http:", "https:") + "/me/likes/tracks",
        "//evil.example/x",
        "/me/likes/tracks",
        "",
        7,
        f"{place.fake.base}/{'x' * 2_000}",
        f"{place.fake.base}/me\r\nX: 1",
    ):
        place.fake.suffer(Says(200, body=json.dumps({"collection": [], "next_href": elsewhere}).encode()))
        with pytest.raises(Unanswered, match="next page"):
            await place.read()
        mark = json.dumps({"in": "tracks", "at": elsewhere, "page": 2, "seen": 0, "cut": False})
        with pytest.raises(Unanswered):
            await connector.poll(place.asker, Wanted(account=ME, grant=place.grant(), mark=Mark(page=mark)))


def known(urn: str) -> KnownLike:
    return KnownLike(by=ME, thing=ThingRef(platform="soundcloud", native_id=urn, url="https://soundcloud.com/cara/x"))


@pytest.mark.parametrize(
    ("kind", "change", "word"),
    [
        ("tracks", lambda fake, urn: None, "unliked"),
        ("tracks", lambda fake, urn: fake.like(ME.account_id, urn, MONDAY), "liked"),
        ("tracks", lambda fake, urn: fake.remove(urn), "gone"),
        ("tracks", lambda fake, urn: setattr(fake.works[urn], "sharing", "private"), "gone"),
        ("playlists", lambda fake, urn: None, "unliked"),
        ("playlists", lambda fake, urn: fake.remove(urn), "gone"),
        ("users", lambda fake, urn: None, "unknown"),
    ],
)
async def test_what_left_the_lists_is_asked_about(place: Place, kind: str, change: Any, word: str) -> None:
    (urn,) = songs(place.fake, 1, kind=kind, liked=False)
    change(place.fake, urn)
    assert await connector.still(place.asker, place.grant(), known(urn)) == word


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulted_answer_says_nothing_about_a_like(place: Place, fault: str) -> None:
    (urn,) = songs(place.fake, 1, liked=False)
    grant = place.grant()
    place.fake.faults.extend([fault] * 4)
    lists_only = FAULTS.index(fault) >= FAULTS.index("shortened")
    try:
        word = await connector.still(place.asker, grant, known(urn))
    except Unanswered:
        return
    assert word == ("unliked" if lists_only else "unknown")


# Payloads and addresses

SAMPLE = ("soundcloud:tracks:1234", "https://soundcloud.com/userPermalink/trackPermalink", "soundcloud:users:12345")
SILK = ("soundcloud:tracks:206559958", "https://soundcloud.com/monstercatsilk/silksf099-1", "soundcloud:users:2065244")
SETS = ("soundcloud:playlists:12345", "https://soundcloud.com/userPermalink/sets/permalink", "soundcloud:users:12345")
PAYLOADS: dict[str, tuple[str, Any]] = {
    "openapi_Tracks.json": ("page", SAMPLE),
    "openapi_Playlists.json": ("playlists", SETS),
    "openapi_Track.json": ("track", SAMPLE),
    "openapi_TracksList.json": ("track", SAMPLE),
    "track_real_2021_v2subset.json": ("track", SILK),
    "openapi_Activities.json": ("error", "activities are no list of likes: an entry has no number"),
    "openapi_Users.json": ("error", "a list of accounts: no entry is a track"),
    "openapi_WebProfiles.json": ("error", "a list and no page"),
    "likes_next_href_real.json": ("next", datetime(2024, 6, 1, 16, 23, 38, 1000, tzinfo=UTC)),
    "openapi_BadRequest.json": ("refusal", Unanswered),
    "openapi_Unauthorized.json": ("refusal", Expired),
    "openapi_Forbidden.json": ("refusal", Unanswered),
    "openapi_NotFound.json": ("refusal", Unanswered),
    "openapi_UnprocessableEntity.json": ("refusal", Unanswered),
    "openapi_ErrorInvalidClient.json": ("refresh", None),
    "openapi_ErrorInvalidGrant.json": ("refresh", None),
    "openapi_ErrorInvalidScope.json": ("refresh", None),
    "issue80_token_response.json": ("refresh", None),
    "issue80_refresh_reused.json": ("refresh", None),
    "issue212_429_token.json": ("refresh", None),
    "issue359_token_400.json": ("refresh", None),
    "issue517_token_429.json": ("refresh", None),
}
"""What each means here; those of refreshing are tried above."""


def test_every_published_payload_is_in_the_table(payloads: Path) -> None:
    assert {each.name for each in (payloads / "soundcloud").glob("*.json")} == set(PAYLOADS)


@pytest.mark.parametrize("name", [name for name, (kind, _) in PAYLOADS.items() if kind != "refresh"])
async def test_a_published_payload_means_what_the_table_says(place: Place, payloads: Path, name: str) -> None:
    kind, meaning = PAYLOADS[name]
    text = (payloads / "soundcloud" / name).read_text().replace("https://api.soundcloud.com", place.fake.base)
    said = json.loads(text)
    page: str | None = None
    if kind == "playlists":
        page = json.dumps({"in": "playlists", "at": None, "page": 2, "seen": 0, "cut": True})
    if kind == "track":
        said = {"collection": [said]}
    status = said["code"] if kind == "refusal" else 200
    place.fake.suffer(Says(status, body=json.dumps(said).encode()))
    asked = connector.poll(place.asker, Wanted(account=ME, grant=place.grant(), mark=Mark(page=page)))
    match kind:
        case "page" | "playlists" | "track":
            (like,) = (await asked).likes
            assert (like.thing.native_id, like.thing.url, like.author and like.author.account_id) == meaning
            assert like.at is None
        case "next":
            asked.close()
            assert _liked_at(said["next_href"], "213040837") == meaning
            assert _liked_at(said["next_href"], "213040838") is None, "another track's"
        case _:
            with pytest.raises(meaning if kind == "refusal" else Unanswered):
                await asked


def test_the_label_is_paid_and_not_the_artist_in_the_title(payloads: Path) -> None:
    said = json.loads((payloads / "soundcloud" / "track_real_2021_v2subset.json").read_text())
    assert _tags(said)[:3] == ("Chillout", "ambient", "idm")
    assert "silk sofa" in _tags(said)


@pytest.mark.parametrize(
    ("tag_list", "tags"),
    [
        ('a "b c" d', ("a", "b c", "d")),
        ("rock'n'roll", ("rocknroll",)),
        ("don't stop", ("don't", "stop")),
        ('open "quote', ("open", "quote")),
        ("", ()),
        (None, ()),
        ("a a", ("a",)),
    ],
)
def test_tags_in_quotation_marks_have_several_words(tag_list: Any, tags: tuple[str, ...]) -> None:
    assert _tags({"genre": None, "tag_list": tag_list}) == tags


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2019/01/15 15:40:49 +0000", datetime(2019, 1, 15, 15, 40, 49, tzinfo=UTC)),
        ("2024-06-01T16:23:38.001Z", datetime(2024, 6, 1, 16, 23, 38, 1000, tzinfo=UTC)),
        ("2024-06-01T16:23:38", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_come_in_two_spellings(text: Any, at: datetime | None) -> None:
    assert _time(text) == at


def web(address: str) -> tuple[str, str, str]:
    return ("web", f"https://soundcloud.com/{address}", f"https://soundcloud.com/{address}")


def numbered(kind: str) -> tuple[str, str, str]:
    return ("soundcloud", f"soundcloud:{kind}:123", f"https://api.soundcloud.com/{kind}/123")


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("https://soundcloud.com/cara/song", web("cara/song")),
        ("http://www.soundcloud.com/cara/song/", web("cara/song")),
        ("https://m.soundcloud.com/cara/song?si=abc&utm_source=clipboard", web("cara/song")),
        ("https://soundcloud.com/cara/song?in=dora/sets/best#t=0:30", web("cara/song")),
        ("https://soundcloud.com/cara/sets/best-of", web("cara/sets/best-of")),
        ("https://soundcloud.com/cara/sets/best-of?si=1", web("cara/sets/best-of")),
        ("https://soundcloud.com/cara", web("cara")),
        ("https://m.soundcloud.com/cara/", web("cara")),
        (
            "https://on.soundcloud.com/AbC12",
            ("web", "https://on.soundcloud.com/AbC12", "https://on.soundcloud.com/AbC12"),
        ),
        ("https://api.soundcloud.com/tracks/123", numbered("tracks")),
        ("https://api.soundcloud.com/tracks/soundcloud:tracks:123", numbered("tracks")),
        ("https://api.soundcloud.com/playlists/soundcloud%3Aplaylists%3A123", numbered("playlists")),
        (
            "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/123&color=%23ff5500",
            numbered("tracks"),
        ),
        (
            "https://w.soundcloud.com/player/?url=https%3A%2F%2Fapi.soundcloud.com%2Fplaylists%2Fsoundcloud%253Aplaylists%253A123",
            numbered("playlists"),
        ),
        ("https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/cara/song", web("cara/song")),
        ("https://w.soundcloud.com/player/?url=https%3A//evil.example/cara/song", None),
        ("https://api.soundcloud.com/tracks/0123", None),
        ("https://api.soundcloud.com:8443/tracks/123", None),
        ("https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com%3A444/tracks/123", None),
        ("https://soundcloud.com/cara/song/s-Abc12", web("cara/song")),
        ("https://soundcloud.com/cara/sets/best-of/s-Abc12?si=1", web("cara/sets/best-of")),
        ("https://soundcloud.com/cara/likes/s-Abc12", None),
        ("https://soundcloud.com/cara/likes", None),
        ("https://soundcloud.com/cara/sets", None),
        ("https://soundcloud.com/cara/tracks", None),
        ("https://soundcloud.com/discover", None),
        ("https://soundcloud.com/you/library", None),
        ("https://soundcloud.com/search?q=cara", None),
        ("https://soundcloud.com/", None),
        ("https://on.soundcloud.com/", None),
        ("https://soundcloud.com:8443/cara/song", None),
        ("https://soundcloud.com.evil.example/cara/song", None),
        ("https://help.soundcloud.com/hc/en-us", None),
        ("javascript:alert(1)", None),
    ],
)
def test_an_address_names_a_work_or_a_person(url: str, means: tuple[str, str, str] | None) -> None:
    found = connector.resolve(url)
    assert (found and (found[0].platform, found[0].native_id, found[0].url)) == means
    assert found is None or found[1] is None


def test_the_number_of_a_person_is_their_account() -> None:
    found = connector.resolve("https://api.soundcloud.com/users/123")
    assert found is not None
    assert (found[0].native_id, found[1] and found[1].account_id) == (
        "user:soundcloud:users:123",
        "soundcloud:users:123",
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://soundcloud.com/cara/song",
        "https://m.soundcloud.com/cara/song?si=abc",
        "https://on.soundcloud.com/AbC12",
        "https://api.soundcloud.com/tracks/5",
    ],
)
async def test_an_address_leads_to_the_number_and_its_uploader(place: Place, url: str) -> None:
    place.fake.content(5, CARA, "Song", permalink="song")
    place.fake.short["https://on.soundcloud.com/AbC12"] = "https://soundcloud.com/cara/song"
    found = await connector.look_up(place.asker, url)
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.url) == ("soundcloud:tracks:5", "https://soundcloud.com/cara/song")
    assert author == AccountRef(platform="soundcloud", account_id=f"soundcloud:users:{CARA}")


async def test_an_address_leads_to_a_playlist_and_to_a_person(place: Place) -> None:
    place.fake.content(6, CARA, "Best of", kind="playlists", permalink="best-of")
    found = await connector.look_up(place.asker, "https://soundcloud.com/cara/sets/best-of")
    assert found is not None
    assert found[0].native_id == "soundcloud:playlists:6"
    found = await connector.look_up(place.asker, "https://soundcloud.com/cara")
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.title) == (f"user:soundcloud:users:{CARA}", "Cara")
    assert author == AccountRef(platform="soundcloud", account_id=f"soundcloud:users:{CARA}")


async def test_what_is_hidden_or_not_there_is_nothing(place: Place) -> None:
    place.fake.content(5, CARA, permalink="song", sharing="private")
    for name in ("cara/song", "cara/none", "nobody", "discover"):
        assert await connector.look_up(place.asker, f"https://soundcloud.com/{name}") is None


async def test_one_token_of_the_application_serves_all_questions(place: Place) -> None:
    place.fake.content(5, CARA, permalink="song")
    url = "https://soundcloud.com/cara/song"
    await asyncio.gather(*(connector.look_up(place.asker, url) for _ in range(5)))
    assert len(place.fake.app_tokens) == 1
    place.time.now += 3_500
    await connector.look_up(place.asker, url)
    assert len(place.fake.app_tokens) == 2


async def test_an_application_that_is_refused_is_not_tried_in_vain(place: Place) -> None:
    place.fake.client_secret = "another"
    secrets = {"client_id": (b"hub-client",), "client_secret": (b"old",)}
    asker = Asker(
        client=place.client,
        secrets=secrets,
        settings=place.fake.settings,
        clock=place.time.clock,
        memory=place.memory,
    )
    for _ in range(48):
        with pytest.raises(Unanswered):
            await connector.look_up(asker, "https://soundcloud.com/cara/song")
    assert len(place.fake.heard) == 1
    place.time.now += 901
    with pytest.raises(Unanswered):
        await connector.look_up(asker, "https://soundcloud.com/cara/song")
    assert len(place.fake.heard) == 2


async def test_a_token_that_ended_early_is_replaced(place: Place) -> None:
    place.fake.content(5, CARA, permalink="song")
    url = "https://soundcloud.com/cara/song"
    assert await connector.look_up(place.asker, url) is not None
    place.fake.app_tokens[0] = "another"
    with pytest.raises(Unanswered):
        await connector.look_up(place.asker, url)
    place.time.now += 901
    assert await connector.look_up(place.asker, url) is not None


@pytest.mark.parametrize("fault", ["cut", "200 html", "an error under 200", "a list", "429", "500", "404"])
async def test_a_faulted_answer_tells_no_owner(place: Place, fault: str) -> None:
    place.fake.content(5, CARA, permalink="song")
    place.fake.faults.extend([fault] * 4)
    with pytest.raises(Unanswered):
        await connector.look_up(place.asker, "https://soundcloud.com/cara/song")


async def test_nothing_is_said_about_a_like_without_its_owner(place: Place) -> None:
    assert await connector.current(place.asker, known("soundcloud:tracks:5")) is None
    assert place.fake.heard == []


WHERE = Addresses(deliveries="", callback="https://hub.example/link/soundcloud/callback")


async def test_a_good_application_is_told_from_a_bad_one(place: Place) -> None:
    (good,) = await connector.check(place.asker, WHERE)
    assert good.ok
    assert WHERE.callback in good.text
    place.fake.client_secret = "another"
    (bad,) = await connector.check(
        Asker(client=place.client, secrets={"client_id": (b"hub-client",)}, settings=place.fake.settings), WHERE
    )
    assert not bad.ok
    assert "you/apps" in bad.remedy
