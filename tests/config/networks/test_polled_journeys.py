"""From a message to a linked account, a counted like and an unlike, on the networks whose lists are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.config.networks.town import Town
from tests.platforms.dailymotion_api import FakeDailymotion
from tests.platforms.flickr_api import FakeFlickr
from tests.platforms.soundcloud_api import FakeSoundCloud
from tests.platforms.vimeo_api import FakeVimeo


@dataclass(frozen=True)
class Case:
    """A network, its people, and three works of the maker."""

    name: str
    title: str
    fake: Callable[..., Any]
    fan: str
    maker: str
    works: tuple[str, str, str]


CASES = (
    Case("vimeo", "Vimeo", FakeVimeo, "217071126", "28470614", ("917286232", "917286233", "917286234")),
    Case("flickr", "Flickr", FakeFlickr, "12345@N00", "67890@N01", ("1001", "1002", "1003")),
    Case("dailymotion", "Dailymotion", FakeDailymotion, "x1vy1cl", "x2maker", ("x8abc", "x8abd", "x8abe")),
    Case(
        "soundcloud",
        "SoundCloud",
        FakeSoundCloud,
        "soundcloud:users:7",
        "soundcloud:users:9",
        ("soundcloud:tracks:1", "soundcloud:tracks:2", "soundcloud:tracks:3"),
    ),
)


@dataclass
class Place:
    """The town with one network beside it."""

    town: Town
    fake: Any
    case: Case

    def like(self, number: int) -> None:
        self.fake.like(self.case.fan, self.case.works[number], self.town.now)

    def unlike(self, number: int) -> None:
        self.fake.unlike(self.case.fan, self.case.works[number])


@pytest.fixture(params=CASES, ids=lambda case: case.name)
async def place(request: pytest.FixtureRequest, town: Town) -> AsyncIterator[Place]:
    case = request.param
    fake = case.fake(clock=town.clock)
    await fake.start()
    fake.user(case.fan, "fan")
    fake.user(case.maker, "maker")
    for work in case.works:
        fake.content(work, case.maker)
    town.has(case.name, fake)
    await town.opens()
    yield Place(town, fake, case)
    await fake.close()


async def test_from_a_message_to_a_counted_like_and_its_unlike(place: Place) -> None:
    town, case = place.town, place.case
    await town.says("budget 35 now")
    place.like(0)  # before the account is linked: it never counts
    town.later(minutes=5)
    page = await town.signs_in(case.name, place.fake, case.fan)
    assert case.title in page
    assert "unlink" in page
    assert {each.platform for each in town.asked} == {case.name}, "signing in uses the network's own budget"
    assert any(case.title in said and "linked" in said.lower() for said in town.heard()[-2:])
    town.later(minutes=1)
    await town.reads()
    assert await town.states() == []

    town.later(hours=2)
    place.like(1)
    place.like(2)
    town.later(hours=2)
    await town.reads()
    assert await town.states() == ["pending", "pending"]
    assert f"{case.title}: last seen" in await town.says("accounts")

    await town.signs_in(case.name, place.fake, case.maker, who="hugo")
    await town.says("claim", "hugo")
    assert await town.states() == ["counts", "counts"]

    place.unlike(2)
    await town.days(4)
    assert sorted(await town.states()) == ["counts", "withdrawn"]
    await town.says("unlink " + case.name)
    place.like(2)
    await town.days(1)
    assert sorted(await town.states()) == ["counts", "withdrawn"], "an account that is nobody's is not read"


async def test_a_hub_that_was_down_for_a_day_catches_up(place: Place) -> None:
    town, case = place.town, place.case
    await town.says("budget 35 now")
    await town.signs_in(case.name, place.fake, case.fan)
    await town.signs_in(case.name, place.fake, case.maker, who="hugo")
    await town.says("claim", "hugo")
    await town.reads()
    town.later(hours=1)
    place.like(0)
    await town.days(1)
    await town.closes()
    town.later(hours=6)
    place.like(1)
    town.later(hours=6)
    place.unlike(0)
    town.later(hours=12)
    await town.opens()
    await town.days(3)
    assert sorted(await town.states()) == ["counts", "withdrawn"]


async def test_a_thing_said_by_message_has_its_maker(place: Place) -> None:
    town, case = place.town, place.case
    await town.says("budget 35 now")
    await town.signs_in(case.name, place.fake, case.maker, who="hugo")
    await town.says("claim", "hugo")
    await town.says(f"flattr {address_of(place, 0)}")
    assert town.hub.asking is not None
    await town.hub.asking.round()
    assert await town.states() == ["counts"]
    await town.signs_in(case.name, place.fake, case.fan)
    await town.reads()
    town.later(hours=2)
    place.like(0)
    await town.days(1)
    assert await town.states() == ["counts"], "said and liked is one flattr"


async def test_access_that_was_withdrawn_is_told_and_nothing_is_lost(place: Place) -> None:
    town, case = place.town, place.case
    await town.says("budget 35 now")
    await town.signs_in(case.name, place.fake, case.fan)
    await town.reads()
    place.fake.withdraw(case.fan)
    await town.days(1)
    assert any(f'"link {case.name}" renews it' in said for said in town.heard())
    assert "has ended" in await town.says("accounts")
    town.later(hours=1)
    place.like(1)
    await town.days(1)
    assert await town.states() == []
    await town.signs_in(case.name, place.fake, case.fan)
    await town.days(1)
    assert await town.states() == ["pending"]


def address_of(place: Place, number: int) -> str:
    work = place.case.works[number]
    match place.case.name:
        case "vimeo":
            return f"https://vimeo.com/{work}"
        case "flickr":
            return f"https://www.flickr.com/photos/maker/{work}/"
        case "dailymotion":
            return f"https://www.dailymotion.com/video/{work}"
    page: str = place.fake._page(place.fake.works[work])
    return page
