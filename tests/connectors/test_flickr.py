"""Flickr asked: the faves of a member, what an address is, who signs in; never concluded from what is no answer."""

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
from connectors.base import Addresses, Asker, AskingConnector, CheckingConnector, KnownLike, ResolvingConnector
from connectors.client import Client, Garbled, Limited, Unanswered
from connectors.flickr import connector
from connectors.kit import linking
from connectors.kit.linking import SignIn
from connectors.linking import Grant, LinkingConnector, NotAdmitted, Withdrawn
from connectors.polling import Mark, Page, PollingConnector, Still, Wanted
from core.events import AccountRef, Liked, ThingRef
from tests.platforms.flickr_api import FAULTS, FakeFlickr
from tests.platforms.misbehaving import Passing, Says, always

ADA, CARA, DAN = "39216764@N00", "94951940@N04", "12345678@N01"
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BACK = "https://hub.example/link/flickr"
ACCOUNT = AccountRef(platform="flickr", account_id=ADA)

CHECKS = kit.poll_checks(connector, Path(__file__).parent / "flickr")


@dataclass
class Place:
    flickr: FakeFlickr
    time: Passing
    client: Client
    grant: Grant
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.flickr.secrets.items()}
        return Asker(client=self.client, secrets=secrets, settings=self.flickr.settings, clock=self.time.clock)

    async def page(self, **mark: Any) -> Page:
        return await connector.poll(self.asker, Wanted(account=ACCOUNT, grant=self.grant, mark=Mark(**mark)))

    async def read(self, *, cursor: str | None = None, whole: bool = False) -> list[Page]:
        """One reading, to its end."""
        pages = [await self.page(cursor=cursor, whole=whole)]
        while pages[-1].more is not None:
            pages.append(await self.page(cursor=cursor, whole=whole, page=pages[-1].more))
        return pages

    async def still(self, number: str = "100") -> Still:
        thing = ThingRef(platform="flickr", native_id=number, url="https://www.flickr.com/photos/cara/100/")
        return await connector.still(self.asker, self.grant, KnownLike(by=ACCOUNT, thing=thing))

    def faves(self, many: int, since: datetime = MONDAY) -> None:
        """So many more faves of Ada's, the last the newest."""
        for number in range(many):
            self.flickr.content(str(10_000 + number), CARA)
            self.flickr.like(ADA, str(10_000 + number), since + number * MINUTE)


def furnish(flickr: FakeFlickr) -> None:
    flickr.user(ADA, "Ada L")
    flickr.user(CARA, "Cara", "cara")
    flickr.user(DAN, "Dan")
    flickr.content("100", CARA, "A photo", tags="fog morning")


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing()
    async with FakeFlickr(clock=time.clock) as flickr:
        furnish(flickr)
        lent = flickr.lend(ADA)
        grant = Grant(account=ACCOUNT, access_token=lent.token, token_secret=lent.secret)
        async with Client(hub="https://hub.example", chance=lambda: 0.5, **time.parts) as client:
            yield Place(flickr, time, client, grant)


def shown(pages: list[Page]) -> list[str]:
    return [like.thing.native_id for page in pages for like in page.likes]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


def test_it_is_all_that_a_polled_network_can_be() -> None:
    kinds = (PollingConnector, LinkingConnector, ResolvingConnector, AskingConnector, CheckingConnector)
    assert all(isinstance(connector, kind) for kind in kinds)
    assert "current" not in connector.card.abilities, "only the member's own access shows a fave"
    allowance = connector.card.allowance
    assert allowance is not None
    assert allowance.requests / allowance.seconds < 1, "3,600 an hour for the hub's key, over all members"


# Published payloads


def faved(number: str, owner: str, title: str, at: int, alias: str | None = None) -> Liked:
    name = alias or owner
    return Liked(
        by=ACCOUNT,
        thing=ThingRef(
            platform="flickr", native_id=number, url=f"https://www.flickr.com/photos/{name}/{number}/", title=title
        ),
        author=AccountRef(
            platform="flickr", account_id=owner, handle=alias, url=f"https://www.flickr.com/people/{name}/"
        ),
        at=datetime.fromtimestamp(at, UTC),
    )


LISTED: dict[str, Any] = {
    "favorites_getList_2015.json": [
        faved("20216912073", "94951940@N04", "Mystic Morning", 1441915873),
        faved("20647358024", "111325145@N07", "Wild flower meadow", 1441834771),
        faved("16414481383", "30540702@N06", "Foggy morning", 1441834737),
    ],
    "favorites_getList_item_extras_2021.json": [
        faved(
            "9863317834",
            "47538938@N08",
            "Taylor Swift - Taylor Swift Concert - Bridgestone Arena - Nashville, Tn 9-20-13 IMG_2811",
            1627390989,
            "tncountryfan",
        )
    ],
    # The creator's side, comments, a list that is no list of faves: no answers to what is asked here.
    "photos_getFavorites_2021.json": Garbled,
    "granary_PHOTO_FAVORITES.json": Garbled,
    "granary_PHOTO_COMMENTS.json": Garbled,
    "granary_CONTACTS_PHOTOS.json": Garbled,
    # Answers of other methods, used below.
    "granary_PHOTO_INFO.json": Garbled,
    "granary_PERSON_INFO.json": Garbled,
    # Descriptions of methods: the errors of the first two are tried below, the push ones are not used.
    "methodinfo_flickr.favorites.getList.json": Garbled,
    "methodinfo_flickr.photos.getFavorites.json": Garbled,
    "methodinfo_flickr.push.getSubscriptions.json": Garbled,
    "methodinfo_flickr.push.subscribe.json": Garbled,
    "methodinfo_flickr.push.unsubscribe.json": Garbled,
}


def test_every_published_payload_has_its_meaning(payloads: Path) -> None:
    assert {each.name for each in (payloads / "flickr").iterdir()} == set(LISTED)


class Recorded(FakeFlickr):
    """Answers by method, as they were published."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.by_method = answers

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/services/rest/", self._recorded)

    async def _recorded(self, request: web.Request) -> web.StreamResponse:
        said = json.dumps(self.by_method[request.query["method"]]).encode()
        return await always(200, said, {"content-type": "application/json"})(request)


@pytest.mark.parametrize("name", LISTED)
async def test_a_published_answer_to_the_question_for_faves(place: Place, payloads: Path, name: str) -> None:
    answer = json.loads((payloads / "flickr" / name).read_text())
    mark: dict[str, Any] = {"whole": True}
    if name == "favorites_getList_2015.json":
        mark |= {"page": "100 3757 1441999999"}
    if name == "favorites_getList_item_extras_2021.json":
        answer = {"photos": {"page": 1, "pages": 1, "perpage": 500, "total": "1", "photo": [answer]}, "stat": "ok"}
    async with Recorded({"flickr.favorites.getList": answer}) as place.flickr:
        if isinstance(LISTED[name], list):
            page = await place.page(**mark)
            assert [kit.said(each) for each in page.likes] == [kit.said(each) for each in LISTED[name]]
            assert page.more == ("101 3757 1441999999" if "page" in mark else None)
        else:
            with pytest.raises(LISTED[name]):
                await place.page(**mark)


async def test_the_published_photo_is_an_address_s_thing_and_no_fave(place: Place, payloads: Path) -> None:
    info = json.loads((payloads / "flickr" / "granary_PHOTO_INFO.json").read_text())
    async with Recorded({"flickr.photos.getInfo": info}) as place.flickr:
        thing, author = await look_up(place, "https://www.flickr.com/photos/kindofblue115/5227922370/")
        assert (thing.native_id, thing.title, thing.tags) == ("5227922370", "Candy canes", ("idyllwild",))
        assert thing.url == "https://www.flickr.com/photos/kindofblue115/5227922370/"
        assert (author.account_id, author.handle) == ("39216764@N00", "kindofblue115")
        assert await place.still("5227922370") == "unliked"


async def test_the_published_person_is_a_profile(place: Place, payloads: Path) -> None:
    person = json.loads((payloads / "flickr" / "granary_PERSON_INFO.json").read_text())
    found = {"user": {"id": "39216764@N00", "username": {"_content": "kylewm"}}, "stat": "ok"}
    async with Recorded({"flickr.people.getInfo": person, "flickr.urls.lookupUser": found}) as place.flickr:
        for url in ("https://www.flickr.com/photos/kindofblue115/", "https://www.flickr.com/people/39216764@N00"):
            thing, author = await look_up(place, url)
            assert (thing.native_id, thing.url) == ("user:39216764@N00", "https://www.flickr.com/people/kindofblue115/")
            assert (author.account_id, author.handle) == ("39216764@N00", "kindofblue115")


@pytest.mark.parametrize("name", ["favorites.getList", "photos.getFavorites", "push.subscribe"])
async def test_no_published_error_is_taken_for_a_list(place: Place, payloads: Path, name: str) -> None:
    described = json.loads((payloads / "flickr" / f"methodinfo_flickr.{name}.json").read_text())
    for error in described["errors"]["error"]:
        failed = {"stat": "fail", "code": error["code"], "message": error["message"]}
        async with Recorded({"flickr.favorites.getList": failed, "flickr.photos.getInfo": failed}) as place.flickr:
            ended = int(error["code"]) in (98, 99)
            with pytest.raises(Withdrawn if ended else Unanswered):
                await place.read()
            with suppress(Unanswered, Withdrawn):
                assert await place.still() == "gone"
                assert int(error["code"]) in (1, 2)


# Reading faves


async def test_all_pages_show_all_faves_with_their_own_times(place: Place) -> None:
    place.faves(1_100)
    pages = await place.read(whole=True)
    assert [len(page.likes) for page in pages] == [500, 500, 100]
    assert [page.proves for page in pages] == ["nothing", "nothing", "everything"]
    assert {like.thing.native_id: like.at for page in pages for like in page.likes} == place.flickr.people[ADA].likes
    assert {page.total for page in pages} == {1_100}
    assert pages[-1].cursor == str(int(max(place.flickr.people[ADA].likes.values()).timestamp()))


@pytest.mark.parametrize("texts", [True, False])
async def test_numbers_may_be_texts(place: Place, texts: bool) -> None:
    place.flickr.numbers_as_texts = texts
    assert (await place.read(whole=True))[0].total == 0
    place.faves(501)
    assert len(shown(await place.read(whole=True))) == 501


async def test_faves_of_one_second_are_not_lost_on_the_boundary(place: Place) -> None:
    for number in range(1_005):
        place.flickr.content(str(20_000 + number), CARA)
        place.flickr.like(ADA, str(20_000 + number), MONDAY)
    cursor = str(int(MONDAY.timestamp()))
    for pages in (await place.read(whole=True), await place.read(cursor=cursor)):
        assert sorted(shown(pages)) == sorted(place.flickr.people[ADA].likes)


async def test_a_short_reading_is_one_question_from_an_hour_before(place: Place) -> None:
    place.faves(700)
    cursor = (await place.read(whole=True))[-1].cursor
    place.flickr.like(ADA, "100", MONDAY + DAY)
    place.flickr.asked.clear()
    (page,) = await place.read(cursor=cursor)
    assert place.flickr.asked == ["flickr.favorites.getList?page=1"]
    newest = place.flickr.people[ADA].likes["10699"]
    assert {like.at for like in page.likes if like.at} == {MONDAY + DAY} | {newest - n * MINUTE for n in range(61)}
    assert (page.proves, page.total) == ("newest", None)
    assert page.cursor == str(int((MONDAY + DAY).timestamp()))


async def test_a_time_in_the_future_is_no_mark(place: Place) -> None:
    place.flickr.like(ADA, "100", MONDAY + 999 * DAY)
    cursor = (await place.read())[-1].cursor
    assert cursor == str(int(place.time.clock().timestamp()))
    assert (await place.read(cursor="1999999999"))[-1].cursor == cursor


async def test_nothing_new_proves_nothing_and_keeps_the_cursor(place: Place) -> None:
    (page,) = await place.read(cursor="1794249005")
    assert (page.likes, page.cursor, page.total) == ((), "1794249005", None)


async def test_a_complete_listing_asks_for_all_times(place: Place) -> None:
    place.faves(700)
    assert len(shown(await place.read(cursor="1999999999", whole=True))) == 700


async def test_a_fave_that_moved_up_between_two_pages_is_not_passed_over(place: Place) -> None:
    place.faves(600)
    place.flickr.before[2] = lambda: place.flickr.unlike(ADA, "10599")
    with pytest.raises(Garbled, match="shorter"):
        await place.read(whole=True)
    assert len(shown(await place.read(whole=True))) == 599


async def test_beyond_the_end_flickr_s_last_page_is_not_taken_for_another(place: Place) -> None:
    place.faves(600)
    with pytest.raises(Garbled, match="not page 3"):
        await place.page(page="3 600 -", whole=True)


async def test_photos_that_are_not_public_are_there_and_make_no_like(place: Place) -> None:
    place.flickr.content("101", CARA, public=False)
    place.flickr.content("102", CARA, title="")
    for number in ("100", "101", "102"):
        place.flickr.like(ADA, number, MONDAY)
    (page,) = await place.read(whole=True)
    assert (shown([page]), page.besides, page.total) == (["100", "102"], ("101",), 3)
    like, other = page.likes
    assert (like.thing.title, like.thing.tags, other.thing.title) == ("A photo", ("fog", "morning"), None)
    assert like.thing.url == "https://www.flickr.com/photos/cara/100/"


async def test_who_has_no_alias_is_found_by_nsid(place: Place) -> None:
    place.flickr.content("101", DAN)
    place.flickr.like(ADA, "101", MONDAY)
    (page,) = await place.read()
    assert page.likes[0].thing.url == f"https://www.flickr.com/photos/{DAN}/101/"
    author = page.likes[0].author
    assert author is not None
    assert (author.account_id, author.handle, author.url) == (DAN, "Dan", f"https://www.flickr.com/people/{DAN}/")


async def test_what_flickr_counts_and_does_not_show_is_named_so(place: Place) -> None:
    place.faves(30)
    place.flickr.withheld = {"10003"}
    (page,) = await place.read(whole=True)
    assert (len(page.likes), page.besides, page.total) == (29, ("withheld:1:0",), 30)


async def test_an_answer_cut_short_under_way_comes_whole_the_second_time(place: Place) -> None:
    place.faves(30)
    place.flickr.faults.append("shortened")
    (page,) = await place.read(whole=True)
    assert (len(page.likes), page.besides) == (30, ())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", [0, 1])
async def test_no_fault_hides_a_fave_and_then_all_are_found(place: Place, fault: str, at: int) -> None:
    place.faves(600)
    place.flickr.faults.extend([""] * at + [fault])
    pages: list[Page] = []
    with suppress(Unanswered, Withdrawn):
        pages = await place.read(whole=True)
    if pages and pages[-1].proves == "everything":
        assert len(set(shown(pages))) == 600, "a reading that is called complete is"
    place.flickr.faults.clear()
    place.time.now += 7200
    assert len(shown(await place.read(whole=True))) == 600


@pytest.mark.parametrize("fault", FAULTS)
async def test_only_what_is_about_the_member_s_access_ends_it(place: Place, fault: str) -> None:
    place.faves(3)
    place.flickr.faults.append(fault)
    ended = False
    try:
        await place.read()
    except Unanswered:
        pass
    except Withdrawn:
        ended = True
    assert ended == (fault in ("98", "99", "401", "token_rejected"))


async def test_a_key_that_was_turned_off_names_the_setting(place: Place) -> None:
    place.flickr.faults.append("100")
    with pytest.raises(Unanswered, match=r"connectors\.flickr\.api_key"):
        await place.read()


@pytest.mark.parametrize("body", [b"oauth_problem=", b"oauth_problem=&x=1", b"oauth_problem=signature_invalid"])
async def test_a_problem_however_it_is_named_is_no_page_and_no_withdrawal(place: Place, body: bytes) -> None:
    place.flickr.suffer(Says(401, {}, body))
    with pytest.raises(Unanswered, match="signature"):
        await place.read()


async def test_a_flood_is_limited_and_no_page(place: Place) -> None:
    place.flickr.suffer(Says(429, {"content-type": "text/html"}, b"<h1>429</h1>"))
    with pytest.raises(Limited):
        await place.read()


async def test_a_signature_is_used_once_and_the_secrets_never_leave(place: Place) -> None:
    place.faves(600)
    await place.read(whole=True)
    sent = [each.headers["authorization"] for each in place.flickr.heard]
    assert len(set(sent)) == len(sent) == 2
    assert place.grant.token_secret is not None
    assert not any(place.grant.token_secret in each or place.flickr.api_secret in each for each in sent)


async def test_an_access_that_ended_is_told(place: Place) -> None:
    place.flickr.withdraw(ADA)
    with pytest.raises(Withdrawn):
        await place.read()
    with pytest.raises(Withdrawn):
        await place.still()
    with pytest.raises(Withdrawn):
        await connector.poll(place.asker, Wanted(account=ACCOUNT))
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, place.grant)


# One fave


async def test_still_is_flickr_s_own_word(place: Place) -> None:
    place.flickr.like(ADA, "100", MONDAY)
    assert await place.still() == "liked"
    place.flickr.photos["100"].public = False
    assert await place.still() == "liked"
    place.flickr.unlike(ADA, "100")
    assert await place.still() == "unliked"
    place.flickr.remove("100")
    assert await place.still() == "gone"
    assert await place.still("999") == "gone"
    assert await place.still("not a number") == "unknown"


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_makes_an_unlike(place: Place, fault: str) -> None:
    place.flickr.like(ADA, "100", MONDAY)
    place.flickr.faults.extend([fault] * 8)
    with suppress(Unanswered, Withdrawn):
        assert await place.still() != "unliked"


# Signing in


@pytest.fixture
async def sign_in(place: Place) -> SignIn:
    return SignIn(
        connector=connector,
        asker=place.asker,
        account=ACCOUNT,
        consent=lambda url: place.flickr.consent(url, ADA),
        decline=place.flickr.decline,
        spoil=lambda status, body: place.flickr.suffer(Says(status, {}, body)),
        asked=lambda: len(place.flickr.heard),
        withdraw=lambda: place.flickr.withdraw(ADA),
        intents=("link", "receive"),
        scopes={"link": ("read",), "receive": ("read",)},
    )


@pytest.mark.parametrize("check", linking.CHECKS, ids=str)
async def test_signing_in_keeps_its_rules(check: linking.LinkingCheck, sign_in: SignIn) -> None:
    await check(sign_in)


async def arrive(place: Place, user: str = ADA, **wrong: Any) -> Any:
    going = await connector.authorize(place.asker, state="s" * 43, callback=BACK, intent="link")
    back = await place.flickr.consent(going.url, user)
    query = dict(parse_qsl(urlsplit(back).query)) | wrong
    assert query["state"] == "s" * 43
    admission = await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link")
    return admission, query, going


async def test_signing_in_tells_the_account_by_its_nsid(place: Place) -> None:
    admission, _, going = await arrive(place)
    assert (admission.account, admission.account.handle) == (ACCOUNT, "Ada L")
    assert dict(parse_qsl(urlsplit(going.url).query))["perms"] == "read"
    (grant,) = admission.grants
    assert (grant.account, grant.expires_at, grant.scopes) == (ACCOUNT, None, ("read",))
    place.faves(2)
    page = await connector.poll(place.asker, Wanted(account=ACCOUNT, grant=grant))
    assert len(page.likes) == 2
    await connector.revoke(place.asker, grant)


async def test_a_verifier_is_good_for_once(place: Place) -> None:
    _, query, going = await arrive(place)
    with pytest.raises(NotAdmitted, match="again"):
        await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link")


async def test_who_declines_is_told_so(place: Place) -> None:
    going = await connector.authorize(place.asker, state="s", callback=BACK, intent="link")
    query = dict(parse_qsl(urlsplit(await place.flickr.decline(going.url)).query))
    with pytest.raises(NotAdmitted) as declined:
        await connector.exchange(place.asker, query=query, kept=going.kept, callback=BACK, intent="link")
    assert declined.value.declined


@pytest.mark.parametrize("wrong", [{"oauth_verifier": "forged"}, {"oauth_token": "another"}])
async def test_what_is_forged_admits_nobody(place: Place, wrong: dict[str, str]) -> None:
    with pytest.raises(NotAdmitted):
        await arrive(place, **wrong)


# Addresses

SHORT = "https://flic.kr/p/8XYtbA"
PERSON = "https://www.flickr.com/people/kindofblue115/"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.flickr.com/photos/kindofblue115/5227922370/",
        "http://flickr.com/photos/kindofblue115/5227922370",
        "https://m.flickr.com/photos/kindofblue115/5227922370/",
        "https://m.flickr.com/#/photos/kindofblue115/5227922370/",
        "https://www.flickr.com/photos/39216764@N00/5227922370/in/photostream/",
        "https://www.flickr.com/photos/39216764%40N00/5227922370/in/album-72157625/lightbox/",
        "https://www.flickr.com/photos/kindofblue115/5227922370/in/pool-canes/?utm_source=x",
        "https://www.flickr.com/photos/kindofblue115/5227922370/sizes/o/",
        "https://www.flickr.com/photo.gne?id=5227922370",
        "https://www.flickr.com/photo_zoom.gne?id=5227922370&size=o",
        SHORT,
        "http://flic.kr/p/8XYtbA/",
        "https://live.staticflickr.com/5246/5227922370_5f19cb9767.jpg",
        "https://live.staticflickr.com/5246/5227922370_5f19cb9767_z.jpg",
        "https://live.staticflickr.com/5246/5227922370_aa94c24f68_o_d.jpg",
        "https://farm6.staticflickr.com/5246/5227922370_5f19cb9767_b.jpg",
        "http://farm6.static.flickr.com/5246/5227922370_5f19cb9767_m.jpg",
        "https://c1.staticflickr.com/6/5246/5227922370_5f19cb9767_n.jpg",
    ],
)
def test_every_shape_of_address_names_the_photo_and_no_author(url: str) -> None:
    found = connector.resolve(url)
    assert found is not None
    thing, author = found
    assert (thing, thing.url, author) == (
        ThingRef(platform="flickr", native_id="5227922370", url=SHORT),
        SHORT,
        None,
    ), "who it is by is what somebody typed"


@pytest.mark.parametrize(
    "url", ["https://www.flickr.com/people/39216764@N00/", "https://flickr.com/photos/39216764@N00"]
)
def test_an_nsid_names_the_member(url: str) -> None:
    found = connector.resolve(url)
    assert found is not None
    thing, author = found
    assert (thing.platform, thing.native_id) == ("flickr", "user:39216764@N00")
    assert author == AccountRef(platform="flickr", account_id="39216764@N00")


@pytest.mark.parametrize(
    "url", ["https://www.flickr.com/people/kindofblue115", "https://flickr.com/photos/kindofblue115/"]
)
def test_an_alias_is_a_page_of_the_web_until_flickr_was_asked(url: str) -> None:
    assert connector.resolve(url) == (ThingRef(platform="web", native_id=PERSON, url=PERSON), None)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.flickr.com/",
        "https://www.flickr.com/explore",
        "https://www.flickr.com/photos/",
        "https://www.flickr.com/photos/tags/fog",
        "https://www.flickr.com/photos/kindofblue115/albums/72157625",
        "https://www.flickr.com/photos/kindofblue115/favorites",
        "https://www.flickr.com/groups/canes/",
        "https://www.flickr.com/photo.gne?id=x",
        "https://flic.kr/s/aHsjAbCdEf",
        "https://flic.kr/p/0OIl",
        "https://flic.kr/p/ZZZZZZZZZZZ",
        "https://flic.kr/p/1",
        "https://live.staticflickr.com/5246/buddyicons/39216764@N00.jpg",
        "https://www.flickr.com:8443/photos/kindofblue115/5227922370/",
        "https://flickr.com.evil.example/photos/kindofblue115/5227922370/",
        "https://example.org/photos/kindofblue115/5227922370/",
        "not an address",
    ],
)
def test_other_addresses_are_not_ours(url: str) -> None:
    assert connector.resolve(url) is None


@pytest.mark.parametrize(("number", "short"), [("1234", "nh"), ("3392387861", "6aLSHT"), ("4325695128", "7Afjsu")])
def test_short_addresses_are_flickr_s(number: str, short: str) -> None:
    """As other implementations have published them."""
    found = connector.resolve(f"https://flic.kr/p/{short}")
    assert found is not None
    assert (found[0].native_id, found[0].url) == (number, f"https://flic.kr/p/{short}")


@pytest.mark.parametrize("number", ["1", "57", "58", "5227922370", "54000000000", str(10**17)])
def test_short_addresses_lead_back_to_their_number(number: str) -> None:
    long = connector.resolve(f"https://www.flickr.com/photos/x/{number}/")
    assert long is not None
    assert connector.resolve(long[0].url) == long


async def look_up(place: Place, url: str) -> Any:
    return await connector.look_up(place.asker, url)


async def test_an_address_leads_to_the_photo_and_its_maker(place: Place) -> None:
    thing, author = await look_up(place, "https://www.flickr.com/photos/somebody-else/100/")
    assert (thing.native_id, thing.url, thing.title) == ("100", "https://www.flickr.com/photos/cara/100/", "A photo")
    assert (author.account_id, author.handle) == (CARA, "cara")
    assert "authorization" not in place.flickr.heard[0].headers, "the hub's key is enough"


async def test_a_member_s_address_leads_to_their_nsid(place: Place) -> None:
    for url in ("https://www.flickr.com/people/cara/", f"https://www.flickr.com/photos/{CARA}/"):
        thing, author = await look_up(place, url)
        assert (thing.native_id, thing.url) == (f"user:{CARA}", "https://www.flickr.com/people/cara/")
        assert (author.account_id, author.handle) == (CARA, "cara")
    assert await look_up(place, "https://www.flickr.com/people/nobody-at-all/") is None
    assert await look_up(place, "https://www.flickr.com/people/99999999@N00/") is None


async def test_what_is_hidden_or_gone_is_nothing(place: Place) -> None:
    place.flickr.photos["100"].public = False
    place.flickr.content("101", CARA, removed=True)
    for number in ("100", "101", "999"):
        assert await look_up(place, f"https://www.flickr.com/photos/cara/{number}/") is None
    assert await look_up(place, "https://example.org/photos/cara/100/") is None


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("cut", "500", "503 html")])
async def test_a_faulted_answer_names_nobody_else(place: Place, fault: str) -> None:
    place.flickr.faults.extend([fault] * 4)
    with suppress(Unanswered):
        found = await look_up(place, "https://www.flickr.com/photos/cara/100/")
        assert found is None or found[1].account_id == CARA
    place.flickr.faults.clear()
    place.time.now += 7200
    assert (await look_up(place, "https://www.flickr.com/photos/cara/100/"))[1].account_id == CARA


async def test_nothing_can_be_said_of_a_fave_without_the_member(place: Place) -> None:
    thing = ThingRef(platform="flickr", native_id="100", url="https://flic.kr/p/2J")
    assert await connector.current(place.asker, KnownLike(by=ACCOUNT, thing=thing)) is None
    assert place.flickr.heard == []


# The operator's set-up


async def test_the_check_tries_key_and_secret_and_names_the_remedy(place: Place) -> None:
    here = Addresses(deliveries="", callback=BACK)
    assert [each.ok for each in await connector.check(place.asker, here)] == [True, True]

    def asker(key: str, secret: str) -> Asker:
        secrets = {"api_key": (key.encode(),), "api_secret": (secret.encode(),)}
        return Asker(client=place.client, secrets=secrets, settings=place.flickr.settings, clock=place.time.clock)

    (key,) = await connector.check(asker("wrong", "hub&secret"), here)
    assert (key.ok, key.what) == (False, "Key")
    good, secret = await connector.check(asker("hub-key", "wrong"), here)
    assert (good.ok, secret.ok) == (True, False)
    assert BACK in secret.remedy
    (unset,) = await connector.check(Asker(client=place.client), here)
    assert (unset.ok, unset.text) == (False, "not both are set")
