"""Connected Pages are kept in step: lost likes are found, unlikes proved twice, ids bound, and nothing is believed
that a failing Facebook does not show."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from connectors.facebook import FIELDS, person
from core import likes as core_likes
from core.events import AccountRef
from core.people import linking, persons
from core.tables import Thing
from tests.bot.facebook_world import PAGE, FacebookWorld, world
from tests.platforms.facebook_api import ODD
from tests.platforms.misbehaving import CUTS, DROPS, Says
from tests.scene import Scene

POST = f"{PAGE}_1"


@pytest.fixture
def hub(scene: Scene) -> Iterator[FacebookWorld]:
    with world(scene) as place:
        place.creator()
        place.patron("fan")
        place.is_bound("fan")
        place.later(hours=1)
        place.fake.content(POST, PAGE)
        place.later(minutes=10)
        yield place


def test_a_reaction_counts_within_the_delivery_and_ends_with_its_removal(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    assert len(hub.standing()) == 1
    hub.later(minutes=1)
    hub.fake.like("fan", POST, kind="LOVE")
    hub.later(minutes=1)
    hub.fake.like("fan", POST, kind="ANGRY")
    hub.deliver()
    assert hub.standing() == []
    hub.later(minutes=1)
    hub.fake.like("fan", POST, kind="WOW")
    hub.deliver()
    assert (len(hub.standing()), hub.likes()) == (1, 1)
    hub.later(minutes=1)
    hub.fake.unlike("fan", POST)
    hub.deliver()
    assert hub.standing() == []


def test_the_page_itself_can_be_liked(hub: FacebookWorld) -> None:
    hub.fake.like("fan", f"page:{PAGE}")
    hub.deliver()
    assert len(hub.standing()) == 1
    hub.later(minutes=1)
    hub.fake.unlike("fan", f"page:{PAGE}")
    hub.deliver()
    assert hub.standing() == []


@pytest.mark.parametrize("seed", range(5))
def test_deliveries_in_any_order_and_batch_end_as_on_facebook(hub: FacebookWorld, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        hub.later(seconds=chance.randint(1, 30))
        post = hub.fake.posts[POST]
        if "fan" in post.reactions and chance.random() < 0.5:
            hub.fake.unlike("fan", POST)
        else:
            hub.fake.like("fan", POST, kind=chance.choice(["LIKE", "LOVE", "SAD", "WOW"]))
    hub.deliver(batch=chance.randint(1, 10), shuffle=chance)
    kind, _ = hub.fake.posts[POST].reactions.get("fan", ("", None))
    assert len(hub.standing()) == int(kind in ("LIKE", "LOVE", "WOW"))


def test_a_like_that_was_never_delivered_is_found(hub: FacebookWorld) -> None:
    hub.round()
    hub.fake.like("fan", POST)
    hub.lose()
    hub.later(hours=6, minutes=1)
    hub.round()
    assert len(hub.standing()) == 1


def test_an_unlike_that_was_never_delivered_is_found_by_two_lists(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    hub.later(minutes=10)
    hub.fake.unlike("fan", POST)
    hub.lose()
    hub.rounds(1)
    assert len(hub.standing()) == 1
    hub.rounds(1)
    assert hub.standing() == []


def test_a_reaction_that_was_changed_unheard_is_no_like_any_more(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    hub.later(minutes=10)
    hub.fake.like("fan", POST, kind="HAHA")
    hub.lose()
    hub.rounds(2)
    assert hub.standing() == []


def test_a_day_of_our_downtime_loses_nothing(hub: FacebookWorld) -> None:
    for number in range(2, 6):
        hub.fake.content(f"{PAGE}_{number}", PAGE)
        hub.fake.like("fan", f"{PAGE}_{number}")
    hub.deliver()
    hub.rounds(1)
    hub.later(hours=24)
    hub.fake.unlike("fan", f"{PAGE}_2")
    hub.fake.like("fan", f"{PAGE}_3", kind="ANGRY")
    hub.fake.like("fan", POST)
    hub.lose()
    hub.later(minutes=5)
    hub.rounds(2)
    with hub.scene.db.reading() as tx:
        urls = {tx.get_one(Thing, int(number)).url for number in hub.standing()}
    assert urls == {f"https://www.facebook.com/{PAGE}_{number}" for number in (1, 4, 5)}


def test_likes_from_before_an_account_was_linked_never_count(hub: FacebookWorld) -> None:
    hub.fake.user("late")
    hub.fake.like("late", POST)
    hub.deliver()
    assert hub.likes() == 0
    hub.later(hours=1)
    hub.patron("late")
    hub.is_bound("late")
    hub.later(minutes=30)
    hub.rounds(4)
    assert (hub.standing(), hub.likes()) == ([], 0)


def test_of_people_who_are_not_here_nothing_is_kept(hub: FacebookWorld) -> None:
    for name in ("stranger", "another"):
        hub.fake.user(name)
        hub.fake.like(name, POST)
    hub.deliver()
    hub.rounds(2)
    assert hub.likes() == 0
    assert hub.account_of(f"{PAGE}:{hub.fake.psid(PAGE, 'stranger')}") is None


@pytest.mark.parametrize("odd", ODD)
def test_a_list_that_is_not_sound_never_unlikes(hub: FacebookWorld, odd: str) -> None:
    hub.fake.page_size = 2
    for name in ("x", "y", "z"):
        hub.fake.user(name)
        hub.fake.like(name, POST, hub.at - timedelta(minutes=1))
    hub.fake.like("fan", POST, hub.at - timedelta(minutes=5))  # the last of the list
    hub.deliver()
    hub.later(minutes=10)
    for _ in range(3):
        # The page of posts comes first, then the two of reactions.
        hub.fake.odd.extend(["", odd] if odd == "circle" else ["", odd, odd])
        hub.rounds(1)
        hub.fake.odd.clear()
    assert len(hub.standing()) == 1


@pytest.mark.parametrize("fault", [DROPS, CUTS, Says(500), Says(503), Says(200, {}, b"[]"), Says(429)], ids=str)
def test_while_facebook_fails_nothing_changes(hub: FacebookWorld, fault: Any) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    for _ in range(4):
        hub.fake.suffer(*[fault] * 12)
        hub.rounds(1, hours=30)
        hub.fake._faults.clear()
    assert len(hub.standing()) == 1


@pytest.mark.parametrize("seed", range(6))
def test_faulted_readings_never_unlike_and_end_with_the_truth(hub: FacebookWorld, seed: int) -> None:
    chance = random.Random(seed)
    posts = [f"{PAGE}_{number}" for number in range(2, 8)]
    for post in posts:
        hub.fake.content(post, PAGE)
        hub.fake.like("fan", post)
    hub.deliver()
    hub.fake.page_size = 2
    for name in ("x", "y", "z"):
        hub.fake.user(name)
        for post in posts:
            hub.fake.like(name, post)
    hub.lose()
    faults = [DROPS, CUTS, Says(500), Says(503), Says(200, {}, b"{}"), Says(400, {}, b'{"error":{"code":1}}')]
    for _ in range(10):
        hub.fake.suffer(*[chance.choice(faults) for _ in range(chance.randint(0, 6))])
        hub.fake.odd.extend(["", *(chance.choice(ODD) for _ in range(chance.randint(0, 6)))])
        hub.rounds(1)
        assert len(hub.standing()) == 6
    hub.fake._faults.clear()
    hub.fake.odd.clear()
    hub.fake.unlike("fan", posts[0])
    hub.lose()
    hub.rounds(4)
    assert len(hub.standing()) == 5


def test_a_deleted_post_keeps_what_it_earned(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    hub.fake.remove(POST)
    hub.lose()
    hub.rounds(3)
    assert len(hub.standing()) == 1
    with hub.scene.db.reading() as tx:
        assert [thing.gone_at is not None for thing in tx.exec(select(Thing)).all()] == [True]


def test_a_post_that_is_listed_but_may_not_be_looked_into_is_not_gone(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    hub.fake.gone[POST] = (10, None)
    hub.rounds(3)
    assert len(hub.standing()) == 1
    with hub.scene.db.reading() as tx:
        assert [thing.gone_at for thing in tx.exec(select(Thing)).all()] == [None]


def test_without_the_right_to_look_no_older_post_is_gone_either(hub: FacebookWorld) -> None:
    hub.fake.like("fan", POST)
    hub.deliver()
    hub.fake.remove(POST, error=(10, None))
    hub.lose()
    other = f"{PAGE}_2"
    hub.fake.content(other, PAGE)
    hub.fake.gone[other] = (10, None)
    hub.rounds(3)
    with hub.scene.db.reading() as tx:
        assert [thing.gone_at for thing in tx.exec(select(Thing)).all()] == [None]


def test_when_everything_vanishes_at_once_it_is_held(hub: FacebookWorld) -> None:
    posts = [f"{PAGE}_{number}" for number in range(2, 27)]
    for post in posts:
        hub.fake.content(post, PAGE)
        hub.fake.like("fan", post)
    hub.deliver()
    kept = {post: hub.fake.posts[post].reactions.copy() for post in posts}
    for post in posts:
        hub.fake.posts[post].reactions.clear()
    hub.rounds(3)
    assert len(hub.standing()) == 25
    for post in posts:
        hub.fake.posts[post].reactions = kept[post]
    hub.rounds(1)
    assert len(hub.standing()) == 25
    for post in posts:
        hub.fake.posts[post].reactions = {}
    hub.rounds(6)
    assert hub.standing() == []


def test_the_address_that_somebody_gave_becomes_the_post_that_it_leads_to(hub: FacebookWorld) -> None:
    from connectors.facebook import connector

    named = connector.resolve(f"https://m.facebook.com/sowerby{PAGE}/posts/1?ref=x")
    assert named is not None
    with hub.scene.db.transaction() as tx:
        core_likes.record_by_hand(tx, hub.scene.rules, hub.scene.account("fan"), named[0], None, hub.at)
    hub.round()
    hub.fake.like("fan", POST)
    hub.deliver()
    assert len(hub.standing()) == 1
    with hub.scene.db.reading() as tx:
        (thing,) = tx.exec(select(Thing)).all()
        author = persons.account_of(tx, AccountRef(platform="facebook", account_id=PAGE))
        assert author is not None
        assert (thing.author_id, thing.title) == (author.id, "A box of buttons")


# Who is who


def test_who_signed_in_is_bound_on_pages_of_the_same_business(hub: FacebookWorld) -> None:
    member = hub.patron("new")
    hub.signs_in("new")
    hub.fake.like("new", POST)
    hub.deliver()
    assert hub.likes() == 0
    hub.round()
    psid = f"{PAGE}:{hub.fake.psid(PAGE, 'new')}"
    assert hub.account_of(psid) == member
    hub.later(minutes=1)
    hub.fake.unlike("new", POST)
    hub.later(minutes=1)
    hub.fake.like("new", POST)
    hub.deliver()
    assert len(hub.standing()) == 1


def test_who_signs_in_is_bound_within_a_minute_without_reading_the_lists_again(hub: FacebookWorld) -> None:
    hub.rounds(2, minutes=1)
    member = hub.patron("new")
    hub.signs_in("new")
    hub.rounds(2, minutes=1)
    assert hub.account_of(f"{PAGE}:{hub.fake.psid(PAGE, 'new')}") == member
    assert sum(heard.path.endswith("/posts") for heard in hub.fake.heard) == 1
    hub.rounds(1, hours=6)
    hub.rounds(1, minutes=1)
    assert sum(heard.path.endswith("/posts") for heard in hub.fake.heard) == 2


def test_a_secret_that_the_operator_got_wrong_ends_nobodys_access(hub: FacebookWorld) -> None:
    hub.rounds(1)
    hub.patron("new")
    hub.signs_in("new")
    hub.fake.refuse.append((190, None))  # what Facebook says to an app token under another secret
    hub.rounds(1, minutes=1)
    assert hub.notes("relink") == []
    hub.rounds(2, hours=2)
    assert hub.account_of(f"{PAGE}:{hub.fake.psid(PAGE, 'new')}") is not None


def test_pages_of_other_businesses_tell_nothing_and_are_asked_once_a_day(hub: FacebookWorld) -> None:
    hub.fake.pages[PAGE].same_business = False
    hub.patron("new")
    hub.signs_in("new")

    def asked() -> int:
        return sum("ids_for_pages" in heard.path for heard in hub.fake.heard)

    hub.rounds(3)
    assert asked() == 1
    hub.later(hours=12)
    hub.rounds(1)
    assert asked() == 2


def test_an_id_that_is_another_persons_stays_theirs(hub: FacebookWorld) -> None:
    other = hub.patron("new")
    hub.is_bound("new")
    hub.scene.patron("thief")
    hub.fake.users["thief"] = "Thief"
    hub.signs_in("thief")
    hub.fake.psid = lambda page, user: "5550001"  # type: ignore[method-assign]
    with hub.scene.db.transaction() as tx:
        linking.bind(tx, person(PAGE, "5550001"), person_id=other, since=hub.at, actor="test", at=hub.at)
    hub.round()
    assert hub.account_of(f"{PAGE}:5550001") == other


def test_who_unlinked_their_id_on_a_page_is_not_bound_again(hub: FacebookWorld) -> None:
    hub.patron("new")
    hub.signs_in("new")
    hub.rounds(1)
    ref = person(PAGE, hub.fake.psid(PAGE, "new"))
    with hub.scene.db.transaction() as tx:
        account = persons.account_of(tx, ref)
        assert account is not None
        linking.unlink(tx, account, hub.at)
    hub.rounds(6)
    assert hub.account_of(ref.account_id) is None


# The Page itself


def test_a_page_is_subscribed_and_looked_at_daily(hub: FacebookWorld) -> None:
    hub.fake.pages[PAGE].fields = set()

    def posted() -> int:
        return sum(heard.method == "POST" for heard in hub.fake.heard)

    hub.rounds(3)
    assert (hub.fake.pages[PAGE].fields, posted()) == (set(FIELDS), 1)
    hub.fake.pages[PAGE].fields = {"feed"}
    hub.rounds(4)
    assert (hub.fake.pages[PAGE].fields, posted()) == (set(FIELDS), 2)


def test_a_page_whose_access_has_ended_is_left_alone_and_its_owner_told(hub: FacebookWorld) -> None:
    hub.fake.pages[PAGE].token = "another one"
    hub.round()
    assert [note.kind for note in hub.notes("relink")] == ["relink"]
    asked = len(hub.fake.heard)
    hub.rounds(3)
    assert len(hub.fake.heard) == asked


def test_two_processes_read_a_page_once(hub: FacebookWorld) -> None:
    other = hub.another("two")

    async def both() -> None:
        await asyncio.gather(hub.presence.round(), other.round())

    hub.do(both())
    assert sum(heard.path.endswith("/posts") for heard in hub.fake.heard) == 1


def test_near_the_limit_reading_stops_and_goes_on_where_it_stopped(hub: FacebookWorld) -> None:
    for number in range(2, 5):
        hub.fake.content(f"{PAGE}_{number}", PAGE)
    hub.later(minutes=1)
    hub.rounds(1)

    def asked() -> list[str]:
        return [heard.path.split("/")[2] for heard in hub.fake.heard if heard.path.endswith("/reactions")]

    first = len(asked())
    before = hub.fake._for_page
    calls = 0

    async def nearly_used_up(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        hub.fake.usage = {"X-App-Usage": {"call_count": 85}} if calls == 2 else {}
        return await before(*args)

    hub.fake._for_page = nearly_used_up  # type: ignore[method-assign]
    hub.rounds(1, minutes=11)
    assert len(asked()) == first + 1
    hub.rounds(1, minutes=11)
    assert len(set(asked()[first:])) == 4


def test_people_are_reminded_once_before_their_sign_in_ends(hub: FacebookWorld) -> None:
    hub.patron("new")
    hub.signs_in("new")
    hub.rounds(1, days=54)
    assert hub.notes("relink") == []
    hub.rounds(3, days=1)
    (note,) = hub.notes("relink")
    assert note.text is not None
    assert "sign in again" in note.text


def test_with_likes_switched_off_no_list_is_read_but_people_are_bound(hub: FacebookWorld) -> None:
    member = hub.patron("new")
    hub.signs_in("new")
    hub.do(hub.another("two", likes=False).round())
    assert hub.account_of(f"{PAGE}:{hub.fake.psid(PAGE, 'new')}") == member
    assert not any(heard.path.endswith(("/posts", "/reactions")) for heard in hub.fake.heard)


def test_a_hub_that_stops_keeps_what_it_has_read(hub: FacebookWorld) -> None:
    for number in range(2, 6):
        hub.fake.content(f"{PAGE}_{number}", PAGE)
    before = hub.fake._for_page
    asked: list[str] = []

    async def until_the_second(request: Any, page: Any, node: str, edge: str) -> Any:
        if edge == "reactions":
            asked.append(node)
            if len(asked) == 2:
                hub.presence.close()
        return await before(request, page, node, edge)

    hub.fake._for_page = until_the_second  # type: ignore[method-assign]
    hub.round()
    assert len(asked) == 2
    hub.later(minutes=11)
    hub.do(hub.another("two").round())
    assert set(asked[2:5]).isdisjoint(asked[:2])  # those that were not read yet come first
