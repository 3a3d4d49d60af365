"""The pretend networks: what they remember, what they tell the hub, and what they do while it is away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import pages
from connectors.base import Answer, Delivery
from connectors.sandbox import square
from connectors.speaking import Button, Mouth, Picture, Unheard
from core.events import Gone, Liked, Messaged, Seen, Unliked
from pages.sandbox.cast import PLAYERS, TONES, WORKS
from pages.sandbox.memory import NETWORKS, NoSuch
from pages.sandbox.network import SandboxNetwork

SECRETS = {"sandbox": b"square's secret", "sandbox2": b"harbour's secret"}


class Hub:
    """A hub that answers what it is told to answer, and keeps what it took."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heard: list[tuple[str, Delivery, int]] = []

    async def __call__(self, platform: str, delivery: Delivery) -> Answer:
        NETWORKS[platform].verify(delivery, {"secret": (SECRETS[platform],)})
        status = self.statuses.pop(0) if self.statuses else 202
        self.heard.append((platform, delivery, status))
        return Answer(status)

    @property
    def taken(self) -> list[Any]:
        return [
            event
            for platform, delivery, status in self.heard
            if status < 300
            for event in NETWORKS[platform].translate(delivery)
        ]


Reopen = Callable[[], SandboxNetwork]


@pytest.fixture
def reopen(tmp_path: Path, at: datetime) -> Iterator[Reopen]:
    opened: list[SandboxNetwork] = []

    def again() -> SandboxNetwork:
        for each in opened:
            each.close()
        opened.append(SandboxNetwork(tmp_path / "data" / "sandbox.db", secrets=SECRETS, clock=lambda: at))
        return opened[-1]

    yield again
    opened[-1].close()


@pytest.fixture
async def network(reopen: Reopen) -> SandboxNetwork:
    """The networks after their first start, with everything delivered."""
    network = reopen()
    assert await network.send(Hub()) == 0
    return network


async def test_at_the_first_start_the_creators_who_join_have_written_claim_by_the_usual_door(reopen: Reopen) -> None:
    hub = Hub()
    await reopen().send(hub)
    assert {(event.by.platform, event.by.account_id, event.text) for event in hub.taken} == {
        (each.platform, each.id, "claim") for each in PLAYERS if each.joins
    }
    again = Hub()
    await reopen().send(again)
    assert again.heard == []


async def test_likes_reach_the_hub_in_their_order_and_only_when_something_changed(
    network: SandboxNetwork, at: datetime
) -> None:
    for liked in (True, True, False, False, True):
        network.like("sandbox", "ada", "bruno/1", liked=liked)
    hub = Hub()
    await network.send(hub)
    events = hub.taken
    assert [type(event) for event in events] == [Liked, Unliked, Liked]
    assert all(event.at == at and event.by == square.account("ada") for event in events)
    assert events[0].author == square.account("bruno")
    orders = [event.order for event in events]
    assert orders == sorted(set(orders))


async def test_while_the_hub_is_away_nothing_is_lost_and_nothing_overtakes(network: SandboxNetwork) -> None:
    network.write("sandbox", "ada", "one")
    network.write("sandbox2", "nia", "elsewhere")
    network.write("sandbox", "ada", "two")
    hub = Hub(503, 202, 503, 429, 500)
    assert [await network.send(hub) for _ in range(5)] == [2, 2, 2, 2, 0]
    assert [event.text for event in hub.taken] == ["elsewhere", "one", "two"]
    bodies = Counter(delivery.body for _, delivery, _ in hub.heard)
    assert sorted(bodies.values()) == [1, 1, 5], "what is sent again is the same to the byte"


async def test_what_the_hub_refuses_for_good_is_not_sent_again(network: SandboxNetwork) -> None:
    network.write("sandbox", "ada", "one")
    network.write("sandbox", "ada", "two")
    hub = Hub(401, 202)
    assert await network.send(hub) == 0
    assert await network.send(hub) == 0
    assert [event.text for event in hub.taken] == ["two"]


async def test_everything_survives_a_restart(reopen: Reopen) -> None:
    network = reopen()
    await network.send(Hub())
    network.like("sandbox", "ada", "bruno/1", liked=True)
    network.write("sandbox", "ada", "budget 35")
    await network.mouth("sandbox").say("ada", "Done.", key="answer:1", buttons=(Button(label="Status", text="status"),))
    before = network.memory.posts("sandbox", "ada"), network.memory.messages("sandbox", "ada")
    network = reopen()
    assert (network.memory.posts("sandbox", "ada"), network.memory.messages("sandbox", "ada")) == before
    assert [(each.from_bot, each.text) for each in before[1]] == [(False, "budget 35"), (True, "Done.")]
    hub = Hub()
    await network.send(hub)
    assert [type(event) for event in hub.taken] == [Liked, Messaged]


async def test_the_bot_says_a_thing_once_per_key_on_each_network(network: SandboxNetwork) -> None:
    mouth = network.mouth("sandbox")
    assert isinstance(mouth, Mouth)
    for platform in ("sandbox", "sandbox", "sandbox2"):
        await network.mouth(platform).say("ada", "Hello.", key="answer:7")
    await mouth.say("ada", "Hello.", key="answer:8")
    assert len([each for each in network.memory.messages("sandbox", "ada") if each.from_bot]) == 2
    assert len([each for each in network.memory.messages("sandbox2", "ada") if each.from_bot]) == 1


async def test_nobody_hears_what_is_said_to_nobody(network: SandboxNetwork) -> None:
    with pytest.raises(Unheard) as unheard:
        await network.mouth("sandbox").say("zed", "Hello?", key="answer:9")
    assert unheard.value.final


async def test_who_posts_is_told_at_once_and_who_removes_must_be_the_author(network: SandboxNetwork) -> None:
    number = network.post("sandbox", "greta", "A cat", "It slept.")
    with pytest.raises(NoSuch):
        network.remove("sandbox", "ada", number)
    network.remove("sandbox", "greta", number)
    with pytest.raises(NoSuch):
        network.like("sandbox", "ada", number, liked=True)
    hub = Hub()
    await network.send(hub)
    assert hub.taken == [
        Seen(thing=square.thing(number), author=square.account("greta")),
        Gone(thing=square.thing(number)),
    ]
    assert network.post("sandbox", "greta", "Another", "cat") != number


async def test_a_person_or_a_post_that_is_not_there_changes_nothing(network: SandboxNetwork) -> None:
    for platform, person, work in (("sandbox", "zed", "bruno/1"), ("sandbox", "ada", "bruno/99"), ("x", "ada", "a/1")):
        with pytest.raises(NoSuch):
            network.like(platform, person, work, liked=True)
    assert network.waiting() == []


async def test_many_threads_may_like_at_once(network: SandboxNetwork) -> None:
    people = [each for each in PLAYERS if each.platform == "sandbox"]
    jobs = [(each.id, post.id) for each in people for post in network.memory.posts("sandbox", "ada")] * 3
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda job: network.like("sandbox", *job, liked=True), jobs))
    assert {post.likes for post in network.memory.posts("sandbox", "ada")} == {len(people)}
    orders = [json.loads(body)["events"][0]["order"] for _, _, body in network.waiting()]
    assert len(set(orders)) == len(orders) == len(jobs) // 3


async def test_a_network_that_is_off_keeps_to_itself(tmp_path: Path, at: datetime) -> None:
    network = SandboxNetwork(tmp_path / "half.db", secrets={"sandbox": SECRETS["sandbox"]}, clock=lambda: at)
    hub = Hub()
    assert await network.send(hub) == 0
    assert {platform for platform, _, _ in hub.heard} == {"sandbox"}
    assert {each.platform for each in network.players()} == {"sandbox"}
    network.close()


def test_the_cast_can_play_the_worked_example_on_either_network() -> None:
    joined = {(each.platform, each.id) for each in PLAYERS if each.joins}
    drawings = Path(pages.__file__).parent / "templates" / "art"
    for platform in NETWORKS:
        assert sum((each.platform, each.author) in joined for each in WORKS if each.platform == platform) >= 10
        assert any((each.platform, each.author) not in joined for each in WORKS if each.platform == platform)
    assert {(each.platform, each.author) for each in WORKS} <= {(each.platform, each.id) for each in PLAYERS}
    assert {each.art for each in WORKS if each.art} == {path.stem for path in drawings.iterdir()}
    assert len(set(TONES.values())) == len(TONES) <= 15


async def test_a_picture_stays_with_its_message_once_however_often_it_is_said(network: SandboxNetwork) -> None:
    mouth = network.mouth("sandbox")
    picture = Picture(name="a.png", content=b"png", alt="Where it went")
    for _ in range(2):
        await mouth.say("ada", "Your statement", key="1-0", picture=picture)
    await mouth.say("ada", "Anything else?", key="2-0")
    first, second = [each for each in network.memory.messages("sandbox", "ada") if each.from_bot]
    assert (first.picture, network.memory.picture(first.id)) == ("Where it went", b"png")
    assert (second.picture, network.memory.picture(second.id)) == (None, None)
