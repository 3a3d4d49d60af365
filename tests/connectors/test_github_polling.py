"""GitHub polled: whose stars are read how, together and one by one, and that no fault takes a star back."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import kit
from connectors.base import Asker, Delivery, KnownLike
from connectors.client import Client, Limited, Unanswered
from connectors.github import GitHub, connector
from connectors.polling import Mark, Page, PollingTogether, Still, Wanted
from core import likes
from core.database import Database
from core.events import AccountRef, Event, Liked, ThingRef, Unliked
from core.likes import Recorded
from core.people import persons
from core.rules import Rules
from tests.platforms.github_api import GRAPHQL_FAULTS, FakeGitHub, Time, client
from tests.platforms.misbehaving import Says

FOLDER = Path(__file__).parent / "github"
ADA, BEN, CARA = 7, 8, 9
SONG, OTHER = 4242, 4300
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("check", kit.poll_checks(connector, FOLDER), ids=str)
def test_the_contract_of_polling_is_kept(check: kit.Check) -> None:
    check()


@dataclass
class Place:
    github: FakeGitHub
    time: Time
    client: Client
    memory: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        return Asker(client=self.client, secrets=self.secrets, settings={"api": self.github.base}, memory=self.memory)

    async def poll(self, user: int = ADA, **mark: Any) -> Page:
        return await connector.poll(self.asker, wanted(user, **mark))

    async def together(self, *users: int) -> list[Page | Exception]:
        return list(await connector.poll_together(self.asker, [wanted(user) for user in users]))

    async def everything(self, user: int = ADA) -> tuple[list[str], Page]:
        """All pages of a complete listing: what they list, and the last one."""
        found: list[str] = []
        page = await self.poll(user, whole=True)
        while True:
            found += listed(page)
            if page.more is None:
                return found, page
            page = await self.poll(user, whole=True, page=page.more)

    async def still(self, number: int = SONG) -> Still:
        like = KnownLike(by=account(ADA), thing=thing(number), since=MONDAY)
        return await connector.still(self.asker, None, like)


def account(user: int) -> AccountRef:
    return AccountRef(platform="github", account_id=str(user))


def thing(number: int) -> ThingRef:
    return ThingRef(platform="github", native_id=str(number), url=f"https://github.com/x/{number}")


def wanted(user: int, **mark: Any) -> Wanted:
    return Wanted(account=account(user), mark=Mark(**mark))


def listed(page: Page | Exception) -> list[str]:
    assert isinstance(page, Page), page
    return [like.thing.native_id for like in page.likes]


def furnish(github: FakeGitHub) -> None:
    github.user(ADA, "ada")
    github.user(BEN, "ben")
    github.user(CARA, "cara")
    github.repository(SONG, CARA, "song")
    github.repository(OTHER, CARA, "other")
    github.star(ADA, SONG, MONDAY)
    github.star(ADA, OTHER, MONDAY - DAY)
    github.star(BEN, SONG, MONDAY)


def many_stars(github: FakeGitHub, many: int, user: int = ADA) -> list[str]:
    for number in range(many):
        github.repository(10_000 + number, CARA, f"r{number}")
        github.star(user, 10_000 + number, MONDAY + timedelta(minutes=number + 1))
    return [str(10_000 + number) for number in reversed(range(many))]


def operators(github: FakeGitHub) -> dict[str, tuple[bytes, ...]]:
    return {name: (value.encode(),) for name, value in github.secrets.items()}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    github, time = FakeGitHub(), Time()
    await github.start()
    furnish(github)
    async with client(time) as door:
        yield Place(github, time, door, secrets=operators(github))
    await github.stop()


def test_it_can_be_polled_together() -> None:
    assert isinstance(connector, PollingTogether)
    assert connector.plan.together == 20
    assert not connector.plan.needs_grant


async def test_the_likes_carry_github_s_time_and_the_owner(place: Place) -> None:
    page = await place.poll()
    assert listed(page) == [str(SONG), str(OTHER)]
    song = page.likes[0]
    assert (song.at, song.author, song.by) == (MONDAY, account(CARA), account(ADA))
    assert (song.thing.url, song.thing.title, song.thing.tags) == (
        "https://github.com/cara/song",
        "cara/song",
        ("music",),
    )
    assert (page.proves, page.total, page.more) == ("everything", 2, None)


async def test_a_long_list_is_read_in_pages_and_adds_up(place: Place) -> None:
    newer = many_stars(place.github, 250)
    found, last = await place.everything()
    assert found == [*newer, str(SONG), str(OTHER)]
    assert (last.proves, last.total) == ("everything", 252)
    assert place.github.asked.count("/graphql") == 3


async def test_a_star_added_between_two_pages_moves_nothing(place: Place) -> None:
    newer = many_stars(place.github, 150)
    first = await place.poll(whole=True)
    place.github.repository(99, CARA, "new")
    place.github.star(ADA, 99, MONDAY + DAY)
    last = await place.poll(whole=True, page=first.more)
    assert [*listed(first), *listed(last)] == [*newer, str(SONG), str(OTHER)]
    assert last.total == 153, "so the hub sees that this is no complete listing"


async def test_the_node_id_is_asked_for_once(place: Place) -> None:
    page = await place.poll()
    await place.poll()
    assert place.github.asked == [f"/user/{ADA}", "/graphql", "/graphql"]
    place.memory.clear()  # another process, which has the mark
    place.github.asked.clear()
    await place.poll(cursor=page.cursor)
    assert place.github.asked == ["/graphql"]


async def test_the_published_account_has_a_node_id_that_can_be_asked_for(place: Place, payloads: Path) -> None:
    account = json.loads((payloads / "github" / "rest.user_by_id.default-response.json").read_text())
    place.github.user(account["id"], account["login"])
    place.github.renewed[account["id"]] = account["node_id"]
    place.github.star(account["id"], SONG, MONDAY)
    page = await place.poll(account["id"])
    assert (listed(page), page.cursor) == ([str(SONG)], account["node_id"])


async def test_an_account_with_another_node_id_is_found_again(place: Place) -> None:
    page = await place.poll()
    place.github.renewed[ADA] = "U_kgDOnew"
    with pytest.raises(Unanswered, match="asked for anew"):
        await place.poll(cursor=page.cursor)
    assert listed(await place.poll(cursor=page.cursor)) == [str(SONG), str(OTHER)]


async def test_a_renamed_account_and_a_renamed_repository_are_the_same(place: Place) -> None:
    before = await place.poll()
    place.github.user(ADA, "ada-lovelace")
    place.github.rename(SONG, "hymn")
    after = await place.poll()
    assert [(like.by, like.thing, like.at) for like in after.likes] == [
        (like.by, like.thing, like.at) for like in before.likes
    ]


async def test_several_accounts_are_one_question(place: Place) -> None:
    ada, ben, cara = await place.together(ADA, BEN, CARA)
    assert (listed(ada), listed(ben), listed(cara)) == ([str(SONG), str(OTHER)], [str(SONG)], [])
    assert place.github.batches == [3]
    assert place.github.tokens[-1] == f"Bearer {place.github.app_token}"


async def test_one_that_is_gone_does_not_keep_the_others(place: Place) -> None:
    await place.together(ADA, BEN)
    del place.github.users[BEN]
    for _ in range(2):
        ada, ben = await place.together(ADA, BEN)
        assert listed(ada) == [str(SONG), str(OTHER)]
        assert isinstance(ben, Unanswered)


async def test_too_heavy_a_question_is_put_in_parts(place: Place) -> None:
    place.github.heaviest = 5
    users = list(range(100, 120))
    for user in users:
        place.github.user(user, f"user{user}")
        place.github.star(user, SONG, MONDAY)
    pages = await place.together(*users)
    assert [listed(page) for page in pages] == [[str(SONG)]] * 20
    place.github.batches.clear()
    await place.together(*users)
    assert place.github.batches[0] <= 6, "it is remembered"


async def test_a_failing_platform_fails_them_all(place: Place) -> None:
    place.github.heaviest = 0
    assert all(isinstance(each, Unanswered) for each in await place.together(ADA, BEN))


async def test_used_up_points_are_waited_for(place: Place) -> None:
    await place.poll()
    place.github.faults.append("points used up")
    with pytest.raises(Limited) as limited:
        await place.poll()
    assert 1700 < limited.value.retry_after < 1900
    asked = len(place.github.asked)
    with pytest.raises(Limited):
        await place.poll()
    assert len(place.github.asked) == asked, "it is not even asked before then"
    assert await place.still() == "liked", "questions by REST have a budget of their own"


async def test_without_a_token_nothing_is_read_and_the_setting_is_named(place: Place) -> None:
    del place.secrets["token"]
    with pytest.raises(Unanswered, match=r"connectors\.github\.token"):
        await place.poll()
    assert all(isinstance(each, Unanswered) for each in await place.together(ADA, BEN))
    assert place.github.asked == []


async def test_a_token_that_is_refused_is_told_by_its_setting(place: Place) -> None:
    place.secrets["token"] = (b"another",)
    place.memory["nodes"] = {str(ADA): f"U_{ADA}"}
    with pytest.raises(Unanswered, match=r"connectors\.github\.token"):
        await place.poll()


async def test_an_empty_list_proves_nothing(place: Place) -> None:
    place.github.private.add(ADA)
    page = await place.poll(whole=True)
    assert (listed(page), page.proves) == ([], "nothing")


async def test_a_list_that_github_cut_short_proves_nothing(place: Place) -> None:
    place.github.over_limit.add(ADA)
    assert (await place.poll(whole=True)).proves == "nothing"


async def test_a_private_repository_is_there_but_no_like(place: Place) -> None:
    place.github.repositories[SONG].private = True
    place.github.shows_private = True
    page = await place.poll()
    assert (listed(page), page.besides) == ([str(OTHER)], (str(SONG),))


async def test_what_stands_is_asked_about_one_by_one(place: Place) -> None:
    assert await place.still() == "liked"
    place.github.unstar(ADA, SONG)
    assert await place.still() == "unliked"
    place.github.private.add(ADA)
    assert await place.still() == "unknown"
    place.github.private.clear()
    place.github.repositories[SONG].private = True
    assert await place.still() == "gone"
    place.github.remove(SONG)
    assert await place.still() == "gone"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"ok": true}', b'{"id": 7, "private": true}'])
async def test_an_answer_that_is_no_repository_says_of_none_that_it_is_gone(place: Place, body: bytes) -> None:
    place.github.private.add(ADA)
    person = json.dumps({"id": ADA, "login": "ada", "node_id": "U_1"}).encode()
    place.github.suffer(Says(200, {}, person), Says(200, {}, b"[]"), Says(200, {}, body), Says(200, {}, body))
    assert await place.still() == "unknown"


@pytest.mark.parametrize("fault", GRAPHQL_FAULTS)
async def test_no_faulted_list_is_complete_with_less(place: Place, fault: str) -> None:
    await place.poll()
    place.github.faults.extend([fault] * 8)
    for mark in ({}, {"whole": True}):
        try:
            page = await place.poll(**mark)
        except Unanswered:
            continue
        assert page.proves == "nothing" or page.total != len(page.likes) or len(page.likes) == 2
    place.github.faults.clear()
    place.time.now += 7200
    assert len((await place.poll(whole=True)).likes) == 2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(st.sampled_from(["", "", *GRAPHQL_FAULTS]), max_size=10), newer=st.sampled_from([0, 9, 120]))
def test_a_complete_listing_is_complete_whatever_fails(faults: list[str], newer: int) -> None:
    asyncio.run(play(faults, newer))


async def play(faults: list[str], newer: int) -> None:
    github, time = FakeGitHub(), Time()
    await github.start()
    furnish(github)
    expected = {*many_stars(github, newer), str(SONG), str(OTHER)}
    github.faults.extend(faults)
    async with client(time) as door:
        place = Place(github, time, door, secrets=operators(github))
        for _ in range(6):
            try:
                found, last = await place.everything()
            except Unanswered:
                time.now += 7200
                continue
            if last.proves == "everything" and last.total == len(found):
                assert set(found) == expected
        github.faults.clear()
        time.now += 7200
        await place_again(place)
        assert set((await place.everything())[0]) == expected
    await github.stop()


async def place_again(place: Place) -> None:
    """A node id that a fault made doubtful is asked for anew."""
    try:
        await place.poll()
    except Unanswered:
        await place.poll()


def delivered(github: FakeGitHub, user: int, number: int, *, deleted: bool = False) -> Event:
    body = github.starred_delivery(user, number, deleted=deleted)
    secrets = {"webhook_secret": (github.secrets["webhook_secret"].encode(),)}
    code = hmac.digest(secrets["webhook_secret"][0], body, "sha256").hex()
    headers: Mapping[str, tuple[str, ...]] = {"x-hub-signature-256": (f"sha256={code}",)}
    delivery = Delivery(method="POST", path="/", headers=headers, body=body, received_at=MONDAY)
    connector.verify(delivery, secrets)
    (event,) = connector.translate(delivery)
    return event


def test_a_delivery_of_the_fake_is_one_of_github_s() -> None:
    github = FakeGitHub()
    furnish(github)
    assert set(json.loads(github.starred_delivery(ADA, SONG))) == {"action", "starred_at", "repository", "sender"}
    assert isinstance(delivered(github, ADA, SONG), Liked)
    assert isinstance(delivered(github, ADA, SONG, deleted=True), Unliked)


async def test_webhook_and_poll_say_the_same_like(place: Place) -> None:
    polled, told = (await place.poll()).likes[0], delivered(place.github, ADA, SONG)
    assert isinstance(told, Liked)
    assert kit.said(polled) == kit.said(told) | {"by": {"platform": "github", "account_id": str(ADA)}}


async def test_webhook_and_poll_meet_in_one_like(place: Place, sqlite_db: Database, rules: Rules) -> None:
    github, at = place.github, MONDAY

    def link() -> None:
        with sqlite_db.transaction() as tx:
            persons.ensure_person(tx, account(ADA), MONDAY - 30 * DAY)

    def record(event: Event, minutes: float) -> Recorded:
        with sqlite_db.transaction() as tx:
            return likes.record(tx, rules, event, at + timedelta(minutes=minutes))

    async def recorded(event: Event, minutes: float) -> Recorded:
        return await asyncio.to_thread(record, event, minutes)

    await asyncio.to_thread(link)
    page = await place.poll()
    assert await recorded(delivered(github, ADA, SONG), 0.1) is Recorded.counted
    assert await recorded(page.likes[0], 5) is Recorded.standing
    unstarred = delivered(github, ADA, SONG, deleted=True)
    assert await recorded(unstarred, 30) is Recorded.withdrawn
    assert await recorded(page.likes[0], 31) is Recorded.unchanged, "a page from before does not bring it back"
    github.star(ADA, SONG, at + timedelta(minutes=40))
    again = (await place.poll()).likes[0]
    assert await recorded(again, 45) is Recorded.counted
    assert await recorded(delivered(github, ADA, SONG), 46) is Recorded.standing
    assert await recorded(page.likes[0], 47) is Recorded.standing, "the older time of a late page changes nothing"
    assert await recorded(unstarred, 30) is Recorded.unchanged, "nor does the old unstar, replayed"


def test_the_connector_s_address_is_github_s() -> None:
    assert GitHub()._base(Asker(client=None)) == "https://api.github.com"  # type: ignore[arg-type]
