"""From a message to a linked account, a counted like and an unlike, on the networks that call the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.config.networks.town import Town
from tests.platforms.facebook_api import FakeFacebook
from tests.platforms.github_api import FakeGitHub
from tests.platforms.twitter_api import FakeTwitter

FAN, MAKER, BOT = "6002", "5001", "9001"
PAGE = "105691394435112"
POST = f"{PAGE}_208770550911373"


@pytest.fixture
async def x(town: Town) -> AsyncIterator[FakeTwitter]:
    """X, the bot's account lent, ada and hugo linked as fan and maker; likes are on at the operator's own risk."""
    fake = FakeTwitter(clock=town.clock)
    await fake.start()
    for number, name in ((FAN, "fan"), (MAKER, "maker"), (BOT, "flattrbot")):
        fake.user(number, name)
    town.has("twitter", fake, bot=BOT)
    town.accepted = ("twitter.likes",)
    await town.opens()
    fake.reached = lambda url: f"{town.address}/webhooks/twitter"
    await town.lends("twitter", fake, BOT)
    await town.says("budget 35 now")
    await town.signs_in("twitter", fake, FAN)
    await town.signs_in("twitter", fake, MAKER, who="hugo")
    await town.says("claim", "hugo")
    await town.looks_round()
    yield fake
    await fake.close()


async def tell(town: Town, fake: FakeTwitter) -> None:
    await fake.deliver()
    assert fake.pending == []
    await town.hub.settle()


async def test_x_from_a_message_to_a_counted_like_and_its_unlike(town: Town, x: FakeTwitter) -> None:
    assert {each.platform for each in town.asked} == {"twitter"}, "signing in uses the network's own budget"
    first, second = x.content(None, MAKER).id, x.content(None, MAKER).id
    await town.reads()
    town.later(minutes=5)
    x.like(FAN, first)
    x.like(FAN, second)
    await tell(town, x)
    assert await town.states() == ["counts", "counts"]
    await town.days(2)
    x.unlike(FAN, second)
    await town.days(4)
    assert sorted(await town.states()) == ["counts", "withdrawn"]


async def test_x_a_link_by_message_and_a_mention_are_flattrs(town: Town, x: FakeTwitter) -> None:
    said, replied = x.content(None, MAKER), x.content(None, MAKER)
    x.write(FAN, BOT, f"flattr https://x.com/maker/status/{said.id}?s=20")
    await tell(town, x)
    assert town.hub.asking is not None
    await town.hub.asking.round()
    assert await town.states() == ["counts"]
    assert [letter.to for letter in x.letters if letter.sender == BOT] == [FAN]
    x.reply(FAN, replied.id, "@flattrbot this one")
    await town.looks_round(900)
    assert await town.states() == ["counts", "counts"]


async def test_x_without_the_operators_risk_hears_messages_and_no_likes(town: Town) -> None:
    async with FakeTwitter(clock=town.clock) as fake:
        for number, name in ((FAN, "fan"), (MAKER, "maker"), (BOT, "flattrbot")):
            fake.user(number, name)
        town.has("twitter", fake, bot=BOT)
        await town.opens()
        fake.reached = lambda url: f"{town.address}/webhooks/twitter"
        await town.lends("twitter", fake, BOT)
        await town.says("budget 35 now")
        await town.signs_in("twitter", fake, FAN)
        await town.looks_round()
        assert town.hub.polling is None
        assert {each["event_type"] for each in fake.subscriptions.values()} == {"dm.received", "oauth.revoke"}
        post = fake.content(None, MAKER)
        fake.like(FAN, post.id)
        fake.write(FAN, BOT, f"https://x.com/maker/status/{post.id}")
        await tell(town, fake)
        assert await town.states() == ["pending"]


@pytest.fixture
async def facebook(town: Town) -> AsyncIterator[FakeFacebook]:
    """Facebook, with a Page that cara manages; ada is fan there."""
    fake = FakeFacebook(clock=town.clock)
    await fake.start()
    fake.user("fan")
    fake.page(PAGE, "cara")
    fake.content(POST, PAGE)
    town.has("facebook", fake)
    await town.opens()
    await town.says("budget 35 now")
    await town.signs_in("facebook", fake, "cara", who="hugo", words="link facebook page")
    await town.says("claim", "hugo")
    await town.looks_round()
    yield fake
    await fake.close()


async def call(town: Town, fake: FakeFacebook) -> None:
    async with aiohttp.ClientSession() as session:
        for body in fake.bodies(batch=10):
            async with session.post(
                f"{town.address}/webhooks/facebook", data=body, headers=fake.signed(body)
            ) as answer:
                assert answer.status == 200
    await town.hub.settle()


async def test_facebook_from_a_message_to_a_counted_reaction_and_its_end(town: Town, facebook: FakeFacebook) -> None:
    await town.signs_in("facebook", facebook, "fan")
    assert {each.platform for each in town.asked} == {"facebook"}, "signing in uses the network's own budget"
    for _ in range(8):  # the Page's next reading binds who signed in
        await town.looks_round(3600)
    facebook.like("fan", POST, kind="LOVE")
    await call(town, facebook)
    assert await town.states() == ["counts"]
    facebook.like("fan", f"page:{PAGE}")
    town.later(minutes=1)
    facebook.unlike("fan", POST)
    await call(town, facebook)
    assert sorted(await town.states()) == ["counts", "withdrawn"]


async def test_facebook_speaks_on_messenger_and_a_code_binds_a_page_of_another_business(
    town: Town, facebook: FakeFacebook
) -> None:
    facebook.pages[PAGE].same_business = False
    answer = await town.says("link facebook")
    code = next(word for line in answer.splitlines() for word in line.split() if len(word) == 11 and word[5] == "-")
    facebook.open_chat("fan", PAGE, code.strip("."))
    await call(town, facebook)
    assert "Linked" in await town.says("yes")
    facebook.write("fan", PAGE, "status")
    await call(town, facebook)
    assert any("35.00" in text for _, _, text in facebook.sent)
    town.later(minutes=1)
    facebook.like("fan", POST)
    await call(town, facebook)
    assert await town.states() == ["counts"]


async def test_facebook_forgets_who_asks_for_it(town: Town, facebook: FakeFacebook) -> None:
    await town.signs_in("facebook", facebook, "fan")
    request = facebook.signed_request("fan")
    for _ in range(2):
        async with aiohttp.ClientSession() as session:
            address = f"{town.address}/webhooks/facebook/deletion"
            async with session.post(address, data={"signed_request": request}) as answer:
                told = await answer.json()
            assert answer.status == 200
            async with session.get(told["url"]) as status:
                assert status.status == 200
    await town.hub.settle()
    assert "Facebook" not in await town.says("accounts")


async def test_github_from_a_message_to_a_counted_star_and_its_end(town: Town) -> None:
    async with FakeGitHub(clock=town.clock) as fake:
        fake.user(7, "fan")
        fake.user(9, "cara")
        for number, name in ((4242, "song"), (4243, "dance"), (4244, "score")):
            fake.repository(number, 9, name)
        town.has("github", fake)
        await town.opens()
        await town.says("budget 35 now")
        fake.star(7, 4242, town.now)
        town.later(minutes=5)
        await town.signs_in("github", fake, "7")
        await town.signs_in("github", fake, "9", who="hugo")
        await town.says("claim", "hugo")
        await town.reads()
        assert await town.states() == []
        town.later(hours=1)
        fake.star(7, 4243, town.now)
        fake.star(7, 4244, town.now)
        town.later(hours=3)
        await town.reads()
        assert await town.states() == ["counts", "counts"]
        fake.unstar(7, 4244)
        await town.days(3)
        assert sorted(await town.states()) == ["counts", "withdrawn"]
