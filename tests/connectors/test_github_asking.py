"""GitHub asked: whether a star stands and whose an address is, never concluded from what is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Asker, AskingConnector, Currently, KnownLike
from connectors.client import Client, Limited, Unanswered
from connectors.github import GitHub, connector
from core.events import AccountRef, ThingRef
from tests.platforms.github_api import FAULTS, FakeGitHub, Time, client

ADA, CARA = 7, 9
SONG, OTHER = 4242, 4300
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = b"github_pat_canary"


@dataclass
class Place:
    github: FakeGitHub
    time: Time
    client: Client
    connector: GitHub
    secrets: dict[str, tuple[bytes, ...]]

    async def current(self, since: datetime | None = MONDAY) -> Currently | None:
        like = KnownLike(
            by=AccountRef(platform="github", account_id=str(ADA)),
            thing=ThingRef(platform="github", native_id=str(SONG), url="https://github.com/cara/song"),
            since=since,
        )
        return await self.connector.current(Asker(client=self.client, secrets=self.secrets), like)

    async def look_up(self, url: str) -> Any:
        return await self.connector.look_up(Asker(client=self.client, secrets=self.secrets), url)


def furnish(github: FakeGitHub) -> None:
    github.user(ADA, "ada")
    github.user(CARA, "cara")
    github.repository(SONG, CARA, "song")
    github.repository(OTHER, CARA, "other")
    github.star(ADA, OTHER, MONDAY - DAY)


def starred_since(github: FakeGitHub, many: int) -> None:
    for number in range(many):
        github.repository(10_000 + number, CARA, f"newer{number}")
        github.star(ADA, 10_000 + number, MONDAY + timedelta(minutes=number + 1))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    github, time = FakeGitHub(), Time()
    await github.start()
    furnish(github)
    async with client(time) as door:
        yield Place(github, time, door, GitHub(github.base), {})
    await github.stop()


def test_it_can_be_asked() -> None:
    assert isinstance(connector, AskingConnector)
    assert "current" in connector.card.abilities
    assert connector.card.hosts == ("api.github.com", "github.com")


async def test_a_star_that_stands_is_found_with_its_time(place: Place) -> None:
    place.github.star(ADA, SONG, MONDAY)
    assert await place.current() == Currently(liked=True, since=MONDAY)


async def test_a_star_that_is_gone_is_proved_by_an_older_one(place: Place) -> None:
    starred_since(place.github, 2)
    assert await place.current() == Currently(liked=False)


async def test_without_a_time_the_list_is_read_to_its_end(place: Place) -> None:
    starred_since(place.github, 250)
    assert await place.current(since=None) == Currently(liked=False)
    place.github.star(ADA, SONG, MONDAY - 9 * DAY)
    assert await place.current(since=None) == Currently(liked=True, since=MONDAY - 9 * DAY)


async def test_a_list_is_not_read_further_than_needed(place: Place) -> None:
    starred_since(place.github, 100)
    for number in range(200):
        place.github.repository(20_000 + number, CARA, f"older{number}")
        place.github.star(ADA, 20_000 + number, MONDAY - DAY - timedelta(minutes=number))
    assert await place.current() == Currently(liked=False)
    assert [each for each in place.github.asked if "starred" in each] == [
        "/users/ada/starred?page=1",
        "/users/ada/starred?page=2",
        "/users/ada/starred?page=1",
    ]


async def test_stars_of_the_same_second_are_all_looked_at(place: Place) -> None:
    for number in range(100):
        place.github.repository(10_000 + number, CARA, f"same{number}")
        place.github.star(ADA, 10_000 + number, MONDAY)
    place.github.star(ADA, SONG, MONDAY)
    assert await place.current() == Currently(liked=True, since=MONDAY)
    assert "/users/ada/starred?page=2" in place.github.asked


async def test_a_refusal_without_a_reason_is_no_answer(place: Place) -> None:
    place.github.faults.append("403")
    with pytest.raises(Unanswered) as refused:
        await place.current()
    assert refused.value.retry_after == 60


async def test_a_list_without_end_says_nothing(place: Place) -> None:
    starred_since(place.github, 1_001)
    assert await place.current() is None


@pytest.mark.parametrize("since", [MONDAY, None])
async def test_what_moves_up_between_two_pages_is_not_taken_for_gone(place: Place, since: datetime | None) -> None:
    starred_since(place.github, 100)
    place.github.star(ADA, SONG, MONDAY)  # the 101st, alone with an older one on the second page
    place.github.before[3] = lambda: place.github.unstar(ADA, 10_050)
    assert await place.current(since) is None
    assert await place.current(since) == Currently(liked=True, since=MONDAY)


async def test_a_full_page_that_lost_its_link_is_not_the_end(place: Place) -> None:
    starred_since(place.github, 100)
    place.github.star(ADA, SONG, MONDAY)
    place.github.faults.extend(["", "no link"])
    assert await place.current() == Currently(liked=True, since=MONDAY)


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(lambda github: github.private.add(ADA), id="private profile"),
        pytest.param(lambda github: github.stars[ADA].clear(), id="empty list"),
        pytest.param(lambda github: github.users.pop(ADA), id="account gone"),
        pytest.param(lambda github: github.repositories.pop(SONG), id="repository gone"),
        pytest.param(lambda github: setattr(github.repositories[SONG], "private", True), id="repository private"),
    ],
)
async def test_what_cannot_be_seen_is_not_taken_back(place: Place, hidden: Any) -> None:
    assert await place.current() == Currently(liked=False)
    hidden(place.github)
    assert await place.current() is None


async def test_a_renamed_account_is_found_by_its_number(place: Place) -> None:
    place.github.star(ADA, SONG, MONDAY)
    place.github.user(ADA, "ada-lovelace")
    assert await place.current() == Currently(liked=True, since=MONDAY)


async def test_a_name_that_changes_hands_under_way_says_nothing(place: Place) -> None:
    place.github.star(ADA, SONG, MONDAY)

    def change_hands() -> None:
        place.github.user(ADA, "lovelace")
        place.github.user(8, "ada")
        place.github.star(8, OTHER, MONDAY - DAY)

    place.github.before[2] = change_hands
    assert await place.current() is None
    assert await place.current() == Currently(liked=True, since=MONDAY)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("500", "502", "cut off")])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
async def test_no_fault_makes_an_unlike_and_then_it_is_found(place: Place, fault: str, at: int) -> None:
    """500, 502 and a cut connection are the client's to repeat."""
    starred_since(place.github, 2)
    place.github.faults.extend([""] * at + [fault] * 8)
    try:
        answer = await place.current()
    except Unanswered:
        answer = None
    # The questions at 2 and 3 are no lists: faults of lists pass them by.
    assert answer is None or at > 1
    place.github.faults.clear()
    place.time.now += 7200
    assert await place.current() == Currently(liked=False)


@pytest.mark.parametrize("fault", ["500", "502", "cut off"])
async def test_a_passing_fault_is_survived(place: Place, fault: str) -> None:
    place.github.faults.extend([fault, "", fault])
    assert await place.current() == Currently(liked=False)


async def test_github_s_own_limit_is_kept(place: Place) -> None:
    place.github.faults.extend(["403 primary"] * 4)
    with pytest.raises(Limited) as limited:
        await place.current()
    assert 1700 < limited.value.retry_after < 1900
    asked = len(place.github.asked)
    with pytest.raises(Limited):
        await place.current()
    assert len(place.github.asked) == asked, "it is not even asked before then"


async def test_the_token_is_used_where_there_is_one(place: Place) -> None:
    await place.current()
    assert set(place.github.tokens) == {None}
    place.github.tokens.clear()
    place.secrets["token"] = (b"", SECRET, b"old")
    await place.current()
    assert set(place.github.tokens) == {f"Bearer {SECRET.decode()}"}


async def test_a_token_that_is_refused_is_told_by_its_setting(place: Place) -> None:
    place.secrets["token"] = (SECRET,)
    place.github.faults.append("401")
    with pytest.raises(Unanswered, match=r"connectors\.github\.token") as refused:
        await place.current()
    assert SECRET.decode() not in str(refused.value)


FOUND = (
    ThingRef(platform="github", native_id=str(SONG), url="https://github.com/cara/song"),
    AccountRef(platform="github", account_id=str(CARA)),
)


@pytest.mark.parametrize(
    "url", ["https://github.com/cara/song", "http://www.github.com/Cara/SONG/", "https://github.com/cara/song.git"]
)
async def test_an_address_leads_to_the_numbers(place: Place, url: str) -> None:
    thing, author = found = await place.look_up(url)
    assert found == FOUND
    assert (thing.url, thing.title, author.handle) == ("https://github.com/cara/song", "cara/song", "cara")


async def test_an_old_address_leads_to_the_new_one(place: Place) -> None:
    place.github.rename(SONG, "hymn")
    thing, _ = found = await place.look_up("https://github.com/cara/song")
    assert (found, thing.url) == (FOUND, "https://github.com/cara/hymn")


async def test_what_is_no_public_repository_is_nothing(place: Place) -> None:
    place.github.repositories[OTHER].private = True
    for url in ("https://github.com/cara/other", "https://github.com/cara/none", "https://example.org/cara/song"):
        assert await place.look_up(url) is None
    assert await place.look_up("https://github.com/sponsors/cara") is None
    assert len(place.github.asked) == 2, "only repositories are asked about"
    place.github.shows_private = True
    assert await place.look_up("https://github.com/cara/other") is None


@pytest.mark.parametrize("fault", ["truncated", "not json", "429", "403", "403 secondary", "an object of another"])
async def test_a_faulted_answer_tells_no_owner(place: Place, fault: str) -> None:
    place.github.faults.extend([fault] * 4)
    with suppress(Unanswered):
        assert await place.look_up("https://github.com/cara/song") is None
    place.github.faults.clear()
    place.time.now += 7200
    assert await place.look_up("https://github.com/cara/song") == FOUND


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    faults=st.lists(st.sampled_from(["", "", *FAULTS]), max_size=12),
    newer=st.sampled_from([0, 1, 99, 100, 150]),
    moves=st.dictionaries(st.integers(1, 8), st.sampled_from(["unstar", "star", "private"]), max_size=3),
)
def test_a_star_that_stands_is_never_called_gone(faults: list[str], newer: int, moves: dict[int, str]) -> None:
    async def play() -> None:
        github, time = FakeGitHub(), Time()
        await github.start()
        furnish(github)
        starred_since(github, newer)
        github.star(ADA, SONG, MONDAY)
        github.faults.extend(faults)
        acts = {
            "unstar": lambda: github.unstar(ADA, 10_000),
            "star": lambda: github.star(ADA, OTHER, MONDAY + DAY),
            "private": lambda: github.private.add(ADA),
        }
        github.before = {number: acts[move] for number, move in moves.items()}
        async with client(time) as door:
            place = Place(github, time, door, GitHub(github.base), {})
            for _ in range(6):
                for since in (MONDAY, None):
                    try:
                        answer = await place.current(since)
                    except Unanswered:
                        answer = None
                    assert answer is None or answer.liked
                time.now += 7200
            github.private.clear()
            github.faults.clear()
            assert await place.current() == Currently(liked=True, since=MONDAY)
        await github.stop()

    asyncio.run(play())
