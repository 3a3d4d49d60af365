"""X tells the hub what members do: one subscription a member, kept in step whatever gets lost on the way."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.twitter.wanted import There, Wanted, difference, made_of
from connectors.twitter import connector
from core.database import Database
from core.events import Liked, Revoked
from core.rules import Rules
from tests.bot.twitter_hub import FAN, FLATTRBOT, MAKER, OTHER, Hub, account, hub_on_x
from tests.platforms.misbehaving import Says
from tests.platforms.twitter_api import BOT

OWN = {"flattr:oauth.revoke", f"flattr:dm.received:{FLATTRBOT}"}


def like_tag(number: str) -> str:
    return f"flattr:like.create:{number}:outbound"


@pytest.fixture
async def hub(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Hub]:
    async with hub_on_x(sqlite_db, rules, at) as hub:
        yield hub


@pytest.fixture
async def on_either(db: Database, rules: Rules, at: datetime) -> AsyncIterator[Hub]:
    async with hub_on_x(db, rules, at) as hub:
        yield hub


async def test_the_address_is_registered_and_every_member_is_listened_to(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.join(OTHER)
    await hub.round()
    (hook,) = hub.fake.hooks.values()
    assert (hook["url"], hook["valid"]) == (hub.door.address, True)
    assert hub.subscribed == OWN | {like_tag(FAN), like_tag(OTHER)}
    assert {each["webhook_id"] for each in hub.fake.subscriptions.values()} == {hook["id"]}
    made = next(each for each in hub.fake.subscriptions.values() if each["tag"] == like_tag(FAN))
    assert made["filter"] == {"user_id": FAN, "direction": "outbound"}


async def test_a_like_arrives_within_the_moment_and_counts(on_either: Hub) -> None:
    hub = on_either
    await hub.join(FAN)
    await hub.round()
    hub.fake.content("20", MAKER)
    await hub.later(seconds=5)
    hub.fake.like(FAN, "20")
    await hub.deliver()
    assert await hub.standing() == {"20"}
    await hub.fake.replay()
    await hub.deliver()
    assert await hub.standing() == {"20"}


async def test_letters_are_subscribed_to_as_soon_as_the_bots_account_has_signed_in(hub: Hub) -> None:
    hub.fake.withdraw(FLATTRBOT)
    hub.another(bot="9002")
    await hub.round()
    assert hub.subscribed == {"flattr:oauth.revoke"}
    hub.fake.user("9002", "otherbot")
    await asyncio.to_thread(hub.lends, "9002", BOT)
    await hub.round(minutes=1)
    assert hub.subscribed == {"flattr:oauth.revoke", "flattr:dm.received:9002"}


async def test_who_signs_in_again_is_listened_to_again(hub: Hub) -> None:
    await hub.join(FAN)
    hub.fake.withdraw(FAN)
    await hub.round()
    assert hub.subscribed == OWN
    await hub.later(minutes=5)
    await asyncio.to_thread(hub.lends, FAN)
    await hub.round(minutes=1)
    assert hub.subscribed == OWN | {like_tag(FAN)}


async def test_likes_of_a_members_own_posts_are_not_listened_to(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    hub.fake.content("20", FAN)
    hub.fake.like(OTHER, "20")
    assert hub.fake.pending == []


async def test_with_likes_off_nothing_about_likes_is_subscribed_or_kept(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    hub.likes = False
    hub.another()
    await hub.round(minutes=1)
    assert hub.subscribed == OWN
    assert not any(FAN in each for each in hub.fake.asked[-20:] if "liked_tweets" in each)


async def test_once_a_day_is_enough_until_somebody_comes_or_leaves(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    asked = len(hub.fake.asked)
    for _ in range(20):
        await hub.round(hours=1)
    assert not any("activity" in each or "webhooks" in each for each in hub.fake.asked[asked:])
    await hub.join(OTHER)
    await hub.round(minutes=1)
    assert like_tag(OTHER) in hub.subscribed
    await hub.leave(FAN)
    await hub.round(minutes=1)
    assert hub.subscribed == OWN | {like_tag(OTHER)}


async def test_what_x_forgot_is_made_again_within_a_day(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    hub.fake.subscriptions.clear()
    await hub.round(hours=25)
    assert hub.subscribed == OWN | {like_tag(FAN)}


async def test_an_address_that_x_has_given_up_is_tried_again(hub: Hub) -> None:
    await hub.round()
    (hook,) = hub.fake.hooks.values()
    hook["valid"] = False
    await hub.round(hours=25)
    assert hook["valid"] is True


async def test_an_address_that_x_cannot_reach_is_said_and_tried_later(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    await hub.join(FAN)
    hub.door.open = False
    await hub.round()
    assert hub.fake.hooks == {}
    assert "CrcValidationFailed" in caplog.text
    asked = len(hub.fake.asked)
    await hub.round(seconds=10)
    assert not any("webhooks" in each for each in hub.fake.asked[asked:])
    hub.door.open = True
    await hub.round(minutes=2)
    assert hub.subscribed == OWN | {like_tag(FAN)}


@pytest.mark.parametrize("shape", ["array", "object", "nested"])
async def test_xs_three_ways_of_saying_that_it_is_made_are_understood(hub: Hub, shape: str) -> None:
    hub.fake.shape = shape
    await hub.join(FAN)
    await hub.round()
    found = hub.presence.subscriptions.latest
    assert found is not None
    assert (found.made, found.refused) == (3, 0)


async def test_a_lost_answer_makes_nothing_twice(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.join(OTHER)
    hub.fake.faults += ["lost", "lost"]  # the webhook's registration, and the first subscription
    await hub.round()
    assert len(hub.fake.hooks) == 1
    tags = [each["tag"] for each in hub.fake.subscriptions.values()]
    assert sorted(tags) == sorted(OWN | {like_tag(FAN), like_tag(OTHER)})


async def test_half_a_list_removes_and_makes_nothing(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    before = dict(hub.fake.subscriptions)
    hub.fake.faults += ["truncated", "truncated", "truncated"]
    await hub.round(hours=25)
    assert hub.fake.subscriptions == before


async def test_others_subscriptions_of_the_same_app_are_left_alone(hub: Hub) -> None:
    theirs = {"subscription_id": "7", "event_type": "post.create", "filter": {"user_id": MAKER}, "tag": "news desk"}
    hub.fake.subscriptions["7"] = theirs
    await hub.round()
    assert hub.fake.subscriptions["7"] == theirs


async def test_a_doubled_subscription_and_one_for_an_old_address_go(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    (one,) = (each for each in hub.fake.subscriptions.values() if each["tag"] == like_tag(FAN))
    hub.fake.subscriptions["7"] = {**one, "subscription_id": "7"}
    hub.fake.subscriptions["8"] = {**one, "subscription_id": "8", "webhook_id": "1"}
    await hub.round(hours=25)
    assert [each["tag"] for each in hub.fake.subscriptions.values()].count(like_tag(FAN)) == 1


async def test_whoever_does_not_fit_is_told_to_the_operator_once(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.another(subscriptions="3")
    await hub.join(FAN)
    await hub.later(seconds=1)
    await hub.join(OTHER)
    await hub.round()
    assert hub.subscribed == OWN | {like_tag(FAN)}
    assert caplog.text.count("1 members are heard once a day only") == 1
    await hub.round(hours=25)
    assert caplog.text.count("1 members are heard once a day only") == 1
    await hub.leave(FAN)
    await hub.round(minutes=1)
    assert hub.subscribed == OWN | {like_tag(OTHER)}


async def test_whose_access_has_ended_does_not_hold_up_the_others(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.join(OTHER)
    hub.fake.withdraw(FAN)
    await hub.round()
    assert hub.subscribed == OWN | {like_tag(OTHER)}
    assert "relink" in await hub.said()


async def test_an_ended_token_is_refreshed_on_the_way(hub: Hub) -> None:
    await hub.join(FAN)
    hub.fake.expire(FAN)
    await hub.round()
    assert like_tag(FAN) in hub.subscribed


async def test_taking_the_app_out_of_xs_settings_is_heard_at_once(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    hub.fake.take_back_access(FAN)
    await hub.fake.deliver()
    assert hub.door.heard == [Revoked(by=account(FAN))]


async def test_a_limit_or_a_bad_moment_leaves_the_rest_for_later(hub: Hub) -> None:
    await hub.join(FAN)
    hub.fake.limits["subscriptions"] = 0
    await hub.round()
    assert hub.fake.subscriptions == {}
    hub.fake.limits["subscriptions"] = 500
    await hub.round(minutes=1)
    assert hub.fake.subscriptions == {}
    await hub.round(minutes=16)
    assert hub.subscribed == OWN | {like_tag(FAN)}


async def test_a_plan_without_the_activity_api_is_said_once(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    await hub.join(FAN)
    body = b'{"title":"Client Forbidden","type":"https://api.twitter.com/2/problems/client-forbidden","status":403}'
    for _ in range(3):
        hub.fake.suffer(Says(403, {"content-type": "application/problem+json"}, body))
        hub.another(mentions_minutes="0")
        await hub.round(hours=7)
    assert "console.x.com" in caplog.text
    assert hub.fake.subscriptions == {}


async def test_of_two_processes_one_keeps_step(on_either: Hub) -> None:
    hub = on_either
    await hub.join(FAN)
    one, other = hub.presence, hub.another()
    await one.round()
    asked = len([each for each in hub.fake.asked if "activity" in each])
    await other.round()
    assert len([each for each in hub.fake.asked if "activity" in each]) == asked


async def test_no_token_is_ever_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await hub.join(FAN)
        hub.fake.suffer(Says(500), Says(403, body=hub.fake.bearer_token.encode()))
        await hub.round()
        await hub.round(hours=2)
    tokens = [lent.access_token for lent in hub.fake.lent] + [hub.fake.bearer_token, hub.fake.consumer_secret]
    assert [token for token in tokens if token in caplog.text] == []


def test_fifteen_hundred_members_are_compared_in_a_moment() -> None:
    wanted = [Wanted(event_type="like.create", user_id=str(number), direction="outbound") for number in range(1, 1501)]
    there = [
        There(number=str(place), tag=each.tag, event_type=each.event_type, filter={}, webhook_id=None)
        for place, each in enumerate(wanted[:-1])
    ]
    plan = difference(wanted, there, webhook_id="1", ceiling=1_500)
    assert (plan.superfluous, plan.missing, plan.left_out) == ((), (wanted[-1],), 0)


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": None}, {"data": {"subscription": 3}}, {"data": ["x"]}])
def test_an_answer_without_a_subscription_is_none(answer: dict[str, object]) -> None:
    assert made_of(answer) is None


def test_the_published_answer_is_read(payloads: Path) -> None:
    made = made_of(json.loads((payloads / "twitter" / "xaa_subscription_create_response_array.json").read_text()))
    assert made is not None
    assert (made.number, made.is_ours) == ("1976325569252868096", False)


async def test_what_is_told_names_liker_author_and_time(hub: Hub) -> None:
    await hub.join(FAN)
    await hub.round()
    hub.fake.content("20", MAKER, "Look #sewing")
    hub.fake.like(FAN, "20")
    await hub.fake.deliver()
    (liked,) = hub.door.heard
    assert isinstance(liked, Liked)
    assert (liked.by, liked.author, liked.at) == (account(FAN), account(MAKER), hub.at)
    assert liked.thing.tags == ("sewing",)
    assert connector.card.knows_like_time
