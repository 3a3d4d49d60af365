"""X's connector: the contract kit, the published payloads, addresses, challenges, and asking a small X."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import kit
from connectors.base import (
    Addresses,
    Asker,
    AskingConnector,
    Checked,
    CheckingConnector,
    Delivery,
    KnownLike,
    Rejected,
    ResolvingConnector,
    Secrets,
    Unreadable,
    WebhookConnector,
)
from connectors.client import Client, Limited, Unanswered
from connectors.kit import linking as kit_linking
from connectors.linking import Admission, Expired, Grant, Intent, LinkingConnector, NotAdmitted, Withdrawn
from connectors.polling import Page, PollingConnector, Wanted
from connectors.twitter import Refused, TwitterClient, connector, message_text
from core.events import AccountRef, Event, Gone, Liked, Messaged, Revoked, ThingRef
from tests.platforms.misbehaving import CUTS, DROPS, Passing, Says
from tests.platforms.twitter_api import LINK, FakeTwitter

SECRET = b"throw-away-consumer-secret"
SECRETS: Secrets = {"consumer_secret": (SECRET,)}
FOLDER = Path(__file__).parent / "twitter"
TUESDAY = datetime(2026, 11, 10, 12, tzinfo=UTC)
FAN, MAKER, BOT = "6002", "5001", "9001"
CALLBACK = "https://hub.example/link/twitter/callback"


def account(number: str) -> AccountRef:
    return AccountRef(platform="twitter", account_id=number)


def signature(content: bytes, secret: bytes = SECRET) -> str:
    return f"sha256={base64.b64encode(hmac.digest(secret, content, 'sha256')).decode()}"


def sign(delivery: Delivery, secrets: Secrets) -> Delivery:
    name = "x-twitter-webhooks-signature"
    sent = signature(delivery.body, secrets["consumer_secret"][0])
    return replace(delivery, headers={**delivery.headers, name: (sent,)})


def delivered(body: bytes) -> Delivery:
    return sign(Delivery(method="POST", path="/", body=body, received_at=TUESDAY), SECRETS)


CHECKS = [*kit.checks(connector, FOLDER, sign=sign), *kit.poll_checks(connector, FOLDER)]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


@pytest.mark.parametrize(
    "protocol",
    [WebhookConnector, PollingConnector, LinkingConnector, AskingConnector, ResolvingConnector, CheckingConnector],
)
def test_it_can_all_that_its_card_says(protocol: type) -> None:
    assert isinstance(connector, protocol)


def test_likes_are_forbidden_and_what_people_say_to_the_bot_is_not() -> None:
    assert {light.action: light.colour for light in connector.card.lights} == {
        "likes": "red",
        "mentions": "amber",
        "messages": "green",
    }


# Published payloads

ONE = account("1111111111111111111")
PUBLISHED: dict[str, Sequence[Event] | int] = {
    "xaa_like_create.json": [
        Liked(
            by=ONE,
            thing=ThingRef(
                platform="twitter",
                native_id="2079814480427442556",
                url="https://x.com/PublicUser/status/2079814480427442556",
            ),
            author=account("3333333333333333333"),
            at=datetime(2026, 7, 24, 21, 12, 45, 236000, tzinfo=UTC),
        )
    ],
    "xaa_dm_received.json": [
        Messaged(
            by=account("2222222222222222222"),
            text="hello!",
            message_id="2080765901528535096",
            at=datetime(2026, 7, 24, 21, 23, 44, 372000, tzinfo=UTC),
        )
    ],
    "xaa_oauth_revoke.json": [Revoked(by=ONE)],
    "xaa_post_delete.json": [
        Gone(
            thing=ThingRef(
                platform="twitter",
                native_id="2080761269309813134",
                url="https://x.com/i/status/2080761269309813134",
            )
        )
    ],
    # Not subscribed to: what the bot itself wrote, who follows whom, what somebody is called.
    "xaa_dm_sent.json": [],
    "xaa_follow_follow.json": [],
    "xaa_profile_update_screenname.json": [],
    # The older Account Activity API, which the hub does not use.
    "aaa_direct_message_events.json": [],
    "aaa_tweet_delete_events.json": [],
    "aaa_user_event.json": [],
    # Answers of the API: as deliveries they mean nothing. The numbers are the likes that a page of them shows.
    "liked_tweets_docs.json": 1,
    "rec_get_liked_tweets_0.json": 96,
    "liking_users_docs.json": [],
    "rec_get_user_0.json": [],
    "rec_like_and_unlike_0.json": [],
    "rec_like_and_unlike_1.json": [],
    "rec_manage_and_lookup_direct_messages_0.json": [],
    "rec_manage_and_lookup_direct_messages_2.json": [],
    "rec_manage_and_lookup_direct_messages_3.json": [],
    "rec_manage_and_lookup_direct_messages_4.json": [],
    "rec_manage_and_lookup_direct_messages_5.json": [],
    "xaa_subscription_create_response_array.json": [],
    "xaa_subscription_delete_response.json": [],
    "xaa_subscription_list_response.json": [],
}


@pytest.mark.parametrize("name", PUBLISHED)
async def test_a_published_payload_means_what_the_table_says(payloads: Path, name: str, place: Place) -> None:
    body = (payloads / "twitter" / name).read_bytes()
    delivery = delivered(body)
    connector.verify(delivery, SECRETS)
    expected = PUBLISHED[name]
    if isinstance(expected, int):
        assert connector.translate(delivery) == ()
        place.fake.suffer(Says(200, {"content-type": "application/json"}, body))
        page = await place.page()
        assert len(page.likes) == expected
        assert page.proves == "newest"
    else:
        assert list(connector.translate(delivery)) == list(expected)


def test_every_published_payload_is_in_the_table(payloads: Path) -> None:
    assert {file.name for file in (payloads / "twitter").glob("*.json")} == set(PUBLISHED)


async def test_the_recorded_list_is_not_in_the_order_of_ids_and_its_order_is_kept(payloads: Path, place: Place) -> None:
    body = (payloads / "twitter" / "rec_get_liked_tweets_0.json").read_bytes()
    ids = [each["id"] for each in json.loads(body)["data"]]
    assert sorted(ids, key=int, reverse=True) != ids
    place.fake.suffer(Says(200, {"content-type": "application/json"}, body))
    assert [like.thing.native_id for like in (await place.page()).likes] == ids


# Challenges


def asked(token: str, method: str = "GET") -> Delivery:
    return Delivery(method=method, path="/webhooks/twitter", query={"crc_token": token}, received_at=TUESDAY)


def test_the_newest_secret_answers_a_challenge() -> None:
    answer = connector.challenge(asked("challenge_string"), {"consumer_secret": (b"new", b"old")})
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"response_token": signature(b"challenge_string", b"new")}


def test_a_delivery_is_no_challenge_whatever_its_query_says() -> None:
    assert connector.challenge(asked("abc", method="POST"), SECRETS) is None


@pytest.mark.parametrize("token", ["", "{}", '{"data":1}', "a b", "ü", "a" * 513, "[]", "a\n"])
def test_nothing_that_could_be_a_body_is_signed_for_a_stranger(token: str) -> None:
    with pytest.raises(Rejected):
        connector.challenge(asked(token), SECRETS)


@pytest.mark.parametrize("secrets", [{}, {"consumer_secret": ()}, {"consumer_secret": (b"",)}])
def test_without_a_secret_there_is_no_answer(secrets: Secrets) -> None:
    with pytest.raises(Rejected):
        connector.challenge(asked("abc"), secrets)


@given(st.text(max_size=60))
def test_no_answer_to_a_challenge_is_the_signature_of_a_delivery(token: str) -> None:
    try:
        answer = connector.challenge(asked(token), SECRETS)
    except Rejected:
        return
    assert answer is not None
    sent = json.loads(answer.body)["response_token"]
    forged = Delivery(
        method="POST",
        path="/",
        headers={"x-twitter-webhooks-signature": (sent,)},
        body=token.encode(),
        received_at=TUESDAY,
    )
    with pytest.raises(Rejected):
        connector.verify(forged, SECRETS)


# What is told


def test_an_address_in_a_letter_is_the_one_that_was_typed() -> None:
    urls = [{"url": "https://t.co/a", "expanded_url": "https://x.com/maker/status/20"}]
    assert message_text("flattr https://t.co/a &lt;3", {"urls": urls}) == "flattr https://x.com/maker/status/20 <3"


def test_only_xs_own_short_addresses_are_replaced() -> None:
    urls = [{"url": "flattr", "expanded_url": "stop"}, {"url": 3}, "x"]
    assert message_text("flattr this", {"urls": urls}) == "flattr this"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_nothing_but_unreadable_comes_of_a_signed_like_of_noise(noise: object) -> None:
    body: dict[str, Any] = {
        "event_type": "like.create",
        "filter": {"user_id": FAN, "direction": "outbound"},
        "payload": {"liked_tweet_id": "20", "liked_tweet_author_id": MAKER, "timestamp_ms": "1762761600000"},
        "includes": {"users": [], "tweets": []},
    }
    for name in (*body, "id"):
        changed = (
            {**body, name: noise, "payload": {**body["payload"], "liked_tweet_id": noise}}
            if name == "id"
            else {
                **body,
                name: noise,
            }
        )
        try:
            connector.translate(delivered(json.dumps({"data": changed}).encode()))
        except Unreadable:
            continue


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/maker/status/20",
        "http://www.x.com/maker/status/20/",
        "https://twitter.com/maker/status/20?s=20&t=abcDEF",
        "https://mobile.twitter.com/maker/status/20",
        "https://m.twitter.com/maker/statuses/20",
        "https://twitter.com/statuses/20",
        "https://x.com/maker/status/20/photo/1",
        "https://x.com/maker/status/20/video/1?foo=bar",
        "https://x.com/maker/status/20/likes",
        "https://x.com/i/status/20",
        "https://x.com/i/web/status/20",
        "https://twitter.com/#!/maker/status/20",
        "https://nitter.net/maker/status/20#m",
        "https://nitter.poast.org/maker/status/20",
        "https://xcancel.com/maker/status/20",
        "https://fxtwitter.com/maker/status/20",
        "https://x.com/intent/like?tweet_id=20",
        "https://X.com/Maker/status/20",
    ],
)
def test_every_address_of_a_post_is_that_post(url: str) -> None:
    thing = ThingRef(platform="twitter", native_id="20", url="https://x.com/i/status/20")
    assert connector.resolve(url) == (thing, None)


@pytest.mark.parametrize(
    "url", ["https://x.com/i/user/12", "https://twitter.com/intent/user?user_id=12", "https://x.com/i/user/12/"]
)
def test_an_address_with_an_accounts_number_is_that_account(url: str) -> None:
    named = connector.resolve(url)
    assert named is not None
    thing, author = named
    assert (thing.platform, thing.native_id, author) == ("twitter", "user:12", account("12"))


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/Maker",
        "https://twitter.com/maker/",
        "https://x.com/@maker",
        "https://x.com/maker/with_replies",
        "https://x.com/intent/user?screen_name=MAKER",
        "https://mobile.twitter.com/maker/media",
    ],
)
def test_a_profile_by_name_is_one_page_of_the_web(url: str) -> None:
    named = connector.resolve(url)
    assert named is not None
    assert (named[0].platform, named[0].url, named[1]) == ("web", "https://x.com/maker", None)


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/",
        "https://x.com/home",
        "https://x.com/search?q=flattr",
        "https://x.com/i/lists/1",
        "https://x.com/maker/lists",
        "https://x.com/maker/status/abc",
        "https://x.com/maker/status/",
        "https://x.com/maker/status/020",
        "https://x.com/a-name",
        "https://x.com/a_name_that_is_too_long",
        "https://x.com:8443/maker",
        "https://x.com.evil.example/maker/status/20",
        "https://evil.example/x.com/status/20",
        "https://help.x.com/maker/status/20",
        "https://nitter.example/maker",
        "https://user:secret@x.com/maker/status/20",
        "ftp://x.com/maker/status/20",
        "maker",
        "",
    ],
)
def test_what_is_none_of_xs_posts_or_people_is_left_to_others(url: str) -> None:
    named = connector.resolve(url)
    assert named is None


# Asking


@dataclass
class Place:
    """A small X, and the connector over the hub's real client."""

    fake: FakeTwitter
    time: Passing
    client: Client
    more: dict[str, str] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        secrets = {name: (value.encode(),) for name, value in self.fake.secrets.items()}
        settings = {**self.fake.settings, **self.more}
        return Asker(client=self.client, secrets=secrets, settings=settings, clock=self.time.clock)

    def grant(self, user: str = FAN, scopes: tuple[str, ...] = LINK) -> Grant:
        lent = self.fake.lend(user, scopes=scopes)
        return Grant(
            account=account(user), access_token=lent.access_token, refresh_token=lent.refresh_token, scopes=scopes
        )

    async def page(self, grant: Grant | None = None) -> Page:
        grant = grant or self.grant()
        return await connector.poll(self.asker, Wanted(account=grant.account, grant=grant))

    async def still(self, post_id: str, grant: Grant | None = None) -> str:
        thing = ThingRef(platform="twitter", native_id=post_id, url=f"https://x.com/i/status/{post_id}")
        return await connector.still(self.asker, grant or self.grant(), KnownLike(by=account(FAN), thing=thing))

    async def sign_in(self, user: str, intent: Intent = "link") -> Admission:
        departure = await connector.authorize(self.asker, state="s", callback=CALLBACK, intent=intent)
        back = await self.fake.consent(departure.url, user)
        query = dict(parse_qsl(urlsplit(back).query))
        return await connector.exchange(self.asker, query=query, kept=departure.kept, callback=CALLBACK, intent=intent)

    async def checked(self, deliveries: str = "https://hub.example/webhooks/twitter") -> dict[str, Checked]:
        found = await connector.check(self.asker, Addresses(deliveries=deliveries, callback=CALLBACK))
        return {each.what: each for each in found}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing(TUESDAY)
    async with FakeTwitter(clock=time.clock) as fake, Client(hub="https://hub.example", **time.parts) as client:
        fake.user(FAN, "fan")
        fake.user(MAKER, "maker")
        fake.user(BOT, "flattrbot")
        yield Place(fake, time, client)


def ids(page: Page) -> list[str]:
    return [like.thing.native_id for like in page.likes]


async def test_while_likes_are_off_a_member_is_asked_for_the_proof_only_and_nothing_is_kept(place: Place) -> None:
    asker = replace(place.asker, off=frozenset({"likes"}))
    departure = await connector.authorize(asker, state="s", callback=CALLBACK, intent="link")
    assert parse_qs(urlsplit(departure.url).query)["scope"] == ["tweet.read users.read"]
    query = dict(parse_qsl(urlsplit(await place.fake.consent(departure.url, FAN)).query))
    admitted = await connector.exchange(asker, query=query, kept=departure.kept, callback=CALLBACK, intent="link")
    assert (admitted.account, admitted.grants) == (account(FAN), ())
    bots = await connector.authorize(asker, state="s", callback=CALLBACK, intent="bot")
    assert "dm.write" in bots.url


async def test_a_page_lists_the_latest_likes_in_the_order_of_liking(place: Place) -> None:
    for number in (300, 100, 200):
        place.fake.content(str(number), MAKER)
        place.fake.like(FAN, str(number))
    page = await place.page()
    assert ids(page) == ["200", "100", "300"]
    assert {like.author for like in page.likes} == {account(MAKER)}
    assert {like.at for like in page.likes} == {None}
    assert (page.proves, page.more, page.besides) == ("newest", None, ())


async def test_a_reading_is_one_page_of_a_hundred_and_costs_a_tenth_of_a_dollar(place: Place) -> None:
    for number in range(1000, 1150):
        place.fake.content(str(number), MAKER)
        place.fake.like(FAN, str(number))
    page = await place.page()
    assert len(page.likes) == 100
    assert page.more is None
    assert len(place.fake.asked) == 1
    assert place.fake.cost == 100_000
    assert connector.plan.often == connector.plan.whole == timedelta(days=1)


async def test_a_repost_is_listed_as_its_original(place: Place) -> None:
    place.fake.user("5002", "reposter")
    place.fake.content("20", MAKER, "Look")
    place.fake.content("30", "5002", "RT @maker: Look", retweeted="20")
    place.fake.like(FAN, "30")
    (like,) = (await place.page()).likes
    assert (like.thing.native_id, like.author) == ("20", account(MAKER))


async def test_an_edit_is_no_new_post(place: Place) -> None:
    place.fake.content("21", MAKER, "Look!", versions=("20", "21"))
    place.fake.like(FAN, "21")
    assert ids(await place.page()) == ["20"]


async def test_who_linked_to_receive_only_is_not_asked_about(place: Place) -> None:
    page = await place.page(place.grant(scopes=("tweet.read", "users.read")))
    assert (page.likes, page.proves) == ((), "nothing")
    assert place.fake.asked == []


async def test_without_access_there_is_nothing_to_read(place: Place) -> None:
    with pytest.raises(Withdrawn):
        await connector.poll(place.asker, Wanted(account=account(FAN)))


async def test_a_token_that_ended_is_said_to_have(place: Place) -> None:
    grant = place.grant()
    place.time.now += 3 * 3600
    with pytest.raises(Expired):
        await place.page(grant)


@pytest.mark.parametrize("fault", ["truncated", "no meta", "no ids", "errors", "error object", "html", "list"])
async def test_a_page_in_doubt_is_no_page(place: Place, fault: str) -> None:
    for number in range(10, 20):
        place.fake.content(str(number), MAKER)
        place.fake.like(FAN, str(number))
    place.fake.faults.append(fault)
    with pytest.raises(Unanswered):
        await place.page()


@pytest.mark.parametrize("fault", [Says(503), Says(500, body=b"<html>"), DROPS, CUTS], ids=str)
async def test_a_bad_moment_is_waited_out(place: Place, fault: Any) -> None:
    place.fake.content("20", MAKER)
    place.fake.like(FAN, "20")
    place.fake.suffer(fault, fault)
    assert ids(await place.page()) == ["20"]


async def test_xs_limit_is_said_with_the_time_at_which_it_ends(place: Place) -> None:
    place.fake.limits["liked_tweets"] = 0
    with pytest.raises(Limited) as limited:
        await place.page()
    assert limited.value.retry_after == pytest.approx(900, abs=60)


async def test_without_credits_x_is_left_alone_for_hours(place: Place) -> None:
    place.fake.credits = False
    with pytest.raises(Limited, match="credits") as limited:
        await place.page()
    assert limited.value.retry_after == 6 * 3600


async def test_what_became_of_a_like_that_is_missing(place: Place) -> None:
    place.fake.content("20", MAKER)
    place.fake.content("30", MAKER)
    place.fake.remove("30")
    assert await place.still("20") == "unliked"
    assert await place.still("30") == "gone"
    assert await place.still("40") == "gone"
    place.fake.users[MAKER].protected = True
    assert await place.still("20") == "gone"
    place.fake.users[MAKER].followers.add(FAN)
    assert await place.still("20") == "unliked"
    place.fake.users[MAKER].suspended = True
    assert await place.still("20") == "gone"
    assert await place.still("user:5001") == "unknown"


async def test_looking_up_names_the_author_by_number_and_the_post_by_its_present_name(place: Place) -> None:
    place.fake.content("20", MAKER, "Look\nhere #sewing")
    found = await connector.look_up(place.asker, "https://twitter.com/whatever/status/20")
    assert found is not None
    thing, author = found
    assert (thing.native_id, thing.url, thing.title) == ("20", "https://x.com/maker/status/20", "Look")
    assert author is not None
    assert (author, author.handle) == (account(MAKER), "maker")
    assert thing.tags == ("sewing",)


async def test_looking_up_a_repost_gives_the_original(place: Place) -> None:
    place.fake.user("5002", "reposter")
    place.fake.content("20", MAKER, "Look")
    place.fake.content("30", "5002", "RT @maker: Look", retweeted="20")
    found = await connector.look_up(place.asker, "https://x.com/reposter/status/30")
    assert found is not None
    assert (found[0].native_id, found[0].url, found[1]) == ("20", "https://x.com/maker/status/20", account(MAKER))


async def test_looking_up_a_name_gives_the_account_by_its_number(place: Place) -> None:
    found = await connector.look_up(place.asker, "https://x.com/MAKER")
    assert found is not None
    assert (found[0].native_id, found[0].url, found[1]) == ("user:5001", "https://x.com/maker", account(MAKER))
    assert await connector.look_up(place.asker, "https://x.com/i/user/5001") == found


async def test_what_is_hidden_or_gone_is_not_found(place: Place) -> None:
    place.fake.content("20", MAKER)
    place.fake.content("30", MAKER)
    place.fake.remove("30")
    place.fake.users[MAKER].protected = True
    for url in (
        "https://x.com/i/status/20",
        "https://x.com/i/status/30",
        "https://x.com/nobody",
        "https://x.com/i/user/1",
    ):
        assert await connector.look_up(place.asker, url) is None
    place.fake.users[MAKER].suspended = True
    assert await connector.look_up(place.asker, "https://x.com/maker") is None
    assert await connector.look_up(place.asker, "https://example.org/") is None


async def test_a_bearer_token_that_x_does_not_take_is_named_with_its_remedy(place: Place) -> None:
    place.fake.bearer_token = "another"
    asker = replace(place.asker, secrets={**place.asker.secrets, "bearer_token": (b"stale",)})
    with pytest.raises(Unanswered, match=r"connectors\.twitter\.bearer_token"):
        await connector.look_up(asker, "https://x.com/i/status/20")


async def test_likes_are_their_givers_secret(place: Place) -> None:
    like = KnownLike(
        by=account(FAN), thing=ThingRef(platform="twitter", native_id="20", url="https://x.com/i/status/20")
    )
    assert await connector.current(place.asker, like) is None
    with pytest.raises(Refused) as refused:
        await TwitterClient(place.asker).get_liked_tweets(FAN)
    assert (refused.value.status, refused.value.kind) == (403, "unsupported-authentication")


# Signing in


@pytest.mark.parametrize("check", kit_linking.CHECKS, ids=str)
async def test_signing_in(check: kit_linking.LinkingCheck, place: Place) -> None:
    await check(
        kit_linking.SignIn(
            connector=connector,
            asker=place.asker,
            account=account(FAN),
            consent=lambda url: place.fake.consent(url, FAN),
            decline=place.fake.decline,
            spoil=lambda status, body: place.fake.suffer(Says(status, body=body)),
            asked=lambda: len(place.fake.heard),
            withdraw=lambda: place.fake.withdraw(FAN),
            intents=("link", "receive", "bot"),
            pkce=True,
            scopes={
                "link": {"tweet.read", "users.read", "like.read", "offline.access"},
                "receive": {"tweet.read", "users.read"},
                "bot": {"tweet.read", "users.read", "dm.read", "dm.write", "offline.access"},
            },
        )
    )


async def test_a_member_is_known_by_number_and_their_access_lives_for_two_hours(place: Place) -> None:
    admission = await place.sign_in(FAN)
    assert (admission.account, admission.account.handle) == (account(FAN), "fan")
    (grant,) = admission.grants
    assert grant.expires_at == TUESDAY + timedelta(hours=2)
    assert set(grant.scopes) == set(LINK)


async def test_of_a_creator_nothing_is_kept(place: Place) -> None:
    admission = await place.sign_in(MAKER, "receive")
    assert (admission.account, admission.grants) == (account(MAKER), ())


async def test_only_the_bots_own_account_can_be_lent_as_the_bot(place: Place) -> None:
    place.more["bot"] = BOT
    with pytest.raises(NotAdmitted, match="@fan, not the bot's account"):
        await place.sign_in(FAN, "bot")
    assert (await place.sign_in(BOT, "bot")).account == account(BOT)


async def test_a_refresh_token_is_used_once_and_its_successor_is_kept(place: Place) -> None:
    (grant,) = (await place.sign_in(FAN)).grants
    fresh = await connector.refresh(place.asker, grant)
    assert fresh.refresh_token not in (None, grant.refresh_token)
    assert set(fresh.scopes) == set(LINK)
    with pytest.raises(Withdrawn):
        await connector.refresh(place.asker, grant)


async def test_giving_access_back_ends_it_and_may_be_done_twice(place: Place) -> None:
    (grant,) = (await place.sign_in(FAN)).grants
    await connector.revoke(place.asker, grant)
    await connector.revoke(place.asker, grant)
    assert place.fake.lent == []


# The operator's check


async def test_a_hub_that_is_set_up_has_nothing_to_mend(place: Place) -> None:
    place.more["bot"] = BOT
    hook = {"id": "1", "url": "https://hub.example/webhooks/twitter", "valid": True}
    place.fake.hooks["1"] = hook
    checked = await place.checked()
    assert {name: each.ok for name, each in checked.items()} == dict.fromkeys(
        ("bot", "sign-in", "app", "webhook", "subscriptions"), True
    )


async def test_whatever_is_wrong_is_named_with_its_remedy(place: Place) -> None:
    checked = await place.checked()
    assert "connectors.twitter.bot" in checked["bot"].remedy
    assert "not registered yet" in checked["webhook"].text
    place.fake.hooks["1"] = {"id": "1", "url": "https://hub.example/webhooks/twitter", "valid": False}
    assert "delivers nothing" in (await place.checked())["webhook"].text
    assert "hub.public_url" in (await place.checked("http://127.0.0.1:8000/webhooks/twitter"))["webhook"].remedy
    place.fake.client_secret = "another"
    place.fake.bearer_token = "another"
    asker = replace(place.asker, secrets=dict.fromkeys(place.asker.secrets, (b"stale",)))
    found = await connector.check(asker, Addresses(deliveries="https://hub.example/w", callback=CALLBACK))
    assert {each.what: each.ok for each in found} == {"bot": False, "sign-in": False, "app": False}
    assert all(each.remedy for each in found)


async def test_a_check_changes_nothing(place: Place) -> None:
    await place.checked()
    assert {heard.method for heard in place.fake.heard if heard.path != "/2/oauth2/token"} == {"GET"}
    assert (place.fake.hooks, place.fake.subscriptions, place.fake.billed) == ({}, {}, {})
