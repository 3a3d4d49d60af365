"""What Facebook's connector asks: signing in, a Page's lists, ids, subscriptions, the operator's set-up, and limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import Addresses, Asker, CheckingConnector, ResolvingConnector
from connectors.client import Client, Garbled, Limited, Unanswered, Unreachable
from connectors.facebook import FIELDS, Refusal, connector
from connectors.kit import linking as kit_linking
from connectors.kit.linking import SignIn
from connectors.linking import Grant, LinkingConnector, NotAdmitted, Withdrawn
from core.events import AccountRef
from tests.platforms.facebook_api import ODD, FakeFacebook
from tests.platforms.misbehaving import CUTS, DROPS, Passing, Says

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
PAGE, OTHER = "1056913", "2067924"
POST = f"{PAGE}_1"
CALLBACK = "https://hub.example/link/facebook/callback"


@dataclass
class Place:
    """The fake, and the connector over the hub's real client."""

    fake: FakeFacebook
    time: Passing
    client: Client
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def asker(self) -> Asker:
        return Asker(
            client=self.client,
            secrets={name: (value.encode(),) for name, value in self.fake.secrets.items()},
            settings=self.fake.settings,
            clock=self.time.clock,
            memory=self.memory,
        )

    @property
    def grant(self) -> Grant:
        account = AccountRef(platform="facebook", account_id=PAGE)
        return Grant(account=account, access_token=self.fake.pages[PAGE].token)

    def sign_in(self, *, asked: str = "ada") -> SignIn:
        return SignIn(
            connector=connector,
            asker=self.asker,
            account=AccountRef(platform="facebook", account_id=f"app:{self.fake.asid(asked)}"),
            consent=lambda url: self.fake.consent(url, asked),
            decline=self.fake.decline,
            spoil=lambda status, body: self.fake.suffer(Says(status, {}, body)),
            asked=lambda: len(self.fake.heard),
            withdraw=lambda: self.fake.withdraw(asked),
            intents=("link", "receive"),
            scopes={"link": ("public_profile",), "receive": self.fake.scopes or ()},
        )


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    time = Passing(NOON)
    async with FakeFacebook(clock=time.clock) as fake, Client(hub="https://hub.example", **time.parts) as client:
        fake.user("ada")
        for name in ("ben", "cleo", "dora"):
            fake.user(name)
        fake.page(PAGE, "ada")
        fake.content(POST, PAGE, NOON)
        yield Place(fake, time, client)


@pytest.mark.parametrize("check", kit_linking.CHECKS, ids=str)
async def test_signing_in(check: kit_linking.LinkingCheck, place: Place) -> None:
    await check(place.sign_in())


def test_it_is_what_it_says() -> None:
    for protocol in (LinkingConnector, CheckingConnector, ResolvingConnector):
        assert isinstance(connector, protocol)


async def test_a_member_links_by_public_profile_alone_and_gets_sixty_days(place: Place) -> None:
    admission = await place.sign_in().whole("link")
    assert place.fake.consents[-1]["scope"] == "public_profile"
    assert admission.account.handle == "Ada"
    (grant,) = admission.grants
    assert grant.expires_at is not None
    assert timedelta(days=59) < grant.expires_at - place.time.clock() <= timedelta(days=60)
    assert (grant.refresh_token, admission.also) == (None, ())


async def test_a_creator_proves_every_page_that_they_manage(place: Place) -> None:
    place.fake.page(OTHER, "ada", "Books")
    place.fake.page("3", "ada", "Only looks", tasks=("ANALYZE",))
    place.fake.page("4", "ben", "Not hers")
    place.fake.page_size = 1
    admission = await place.sign_in().whole("receive")
    assert [(each.account_id, each.handle) for each in admission.also] == [(PAGE, "Sowerby"), (OTHER, "Books")]
    user, *pages = admission.grants
    assert user.account == admission.account
    assert [(each.account.account_id, each.access_token, each.expires_at) for each in pages] == [
        (PAGE, f"page-token-{PAGE}", None),
        (OTHER, f"page-token-{OTHER}", None),
    ]


async def test_who_manages_no_page_is_told_what_to_tick(place: Place) -> None:
    with pytest.raises(NotAdmitted, match="tick the Pages"):
        await place.sign_in(asked="ben").whole("receive")


async def test_who_leaves_out_a_permission_is_told_which(place: Place) -> None:
    place.fake.unticked = {"pages_read_user_content"}
    with pytest.raises(NotAdmitted, match=r"pages_read_user_content was not allowed.*every permission on"):
        await place.sign_in().whole("receive")
    assert "auth_type=rerequest" in (await place.sign_in().depart("receive")).url
    assert (await place.sign_in().whole("link")).grants
    place.fake.unticked.clear()
    assert (await place.sign_in().whole("receive")).also


async def test_facebook_refreshes_nothing(place: Place) -> None:
    for grant in (await place.sign_in().whole("receive")).grants:
        with pytest.raises(Withdrawn):
            await connector.refresh(place.asker, grant)


async def test_unlinking_removes_the_app_and_a_pages_subscription(place: Place) -> None:
    user, page = (await place.sign_in().whole("receive")).grants
    await connector.subscribe(place.asker, page)
    await connector.revoke(place.asker, page)
    assert place.fake.pages[PAGE].fields == set()
    await connector.revoke(place.asker, user)
    assert place.fake.lasting == {}


async def test_every_question_proves_the_secret_and_carries_no_token_in_its_address(place: Place) -> None:
    await place.sign_in().whole("receive")
    await connector.posts(place.asker, place.grant)
    assert all("access_token" not in heard.query for heard in place.fake.heard)
    asker = place.asker
    place.fake.client_secret = "another app's"
    with pytest.raises(Refusal):
        await connector.posts(asker, place.grant)


# A Page's lists


async def test_the_list_of_reactions_is_read_to_its_end(place: Place) -> None:
    place.fake.page_size = 2
    for number, (name, kind) in enumerate({"ada": "LIKE", "ben": "HAHA", "cleo": "CARE", "dora": "WOW"}.items()):
        place.fake.like(name, POST, NOON + timedelta(seconds=number), kind=kind)
    found = await connector.reactors(place.asker, place.grant, POST)
    assert found.complete
    assert found.likers == {place.fake.psid(PAGE, name) for name in ("ada", "cleo", "dora")}


async def test_nobody_is_a_complete_list_too(place: Place) -> None:
    found = await connector.reactors(place.asker, place.grant, POST)
    assert (found.likers, found.complete) == (frozenset(), True)


@pytest.mark.parametrize("odd", ODD)
async def test_a_list_that_is_not_sound_proves_nothing(place: Place, odd: str) -> None:
    place.fake.page_size = 2
    for name in ("ada", "ben", "cleo"):
        place.fake.like(name, POST)
    place.fake.odd.append(odd)
    try:
        found = await connector.reactors(place.asker, place.grant, POST)
    except Unanswered:
        return
    everybody = {place.fake.psid(PAGE, name) for name in ("ada", "ben", "cleo")}
    if odd == "reordered":
        assert (found.complete, found.likers) == (True, everybody)
    elif odd in ("no total", "more than listed"):
        # The last page tells the total too.
        assert found.likers == everybody
    else:
        assert not found.complete


async def test_a_list_that_moves_while_it_is_read_is_not_complete(place: Place) -> None:
    place.fake.page_size = 2
    for number, name in enumerate(("ada", "ben", "cleo")):
        place.fake.like(name, POST, NOON + timedelta(seconds=number))
    before = place.fake._for_page
    calls = 0

    async def moving(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            place.fake.like("dora", POST, NOON + timedelta(minutes=1))
        return await before(*args)

    place.fake._for_page = moving  # type: ignore[method-assign]
    assert not (await connector.reactors(place.asker, place.grant, POST)).complete


@pytest.mark.parametrize("fault", [DROPS, CUTS, Says(500), Says(503)], ids=str)
async def test_a_passing_fault_is_asked_again(place: Place, fault: Any) -> None:
    place.fake.like("ben", POST)
    place.fake.suffer(fault)
    assert (await connector.reactors(place.asker, place.grant, POST)).complete


async def test_no_answer_is_no_list(place: Place) -> None:
    place.fake.suffer(*[DROPS] * 4)
    with pytest.raises(Unreachable):
        await connector.reactors(place.asker, place.grant, POST)


@pytest.mark.parametrize("error", [(100, 33), (100, None), (10, None)], ids=str)
async def test_a_post_that_is_gone_says_so(place: Place, error: tuple[int, int | None]) -> None:
    place.fake.remove(POST, error=error)
    with pytest.raises(Refusal) as refused:
        await connector.reactors(place.asker, place.grant, POST)
    assert refused.value.is_missing


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ((190, 460), Withdrawn),
        ((190, None), Withdrawn),
        ((102, None), Withdrawn),
        ((4, None), Limited),
        ((17, None), Limited),
        ((32, None), Limited),
        ((613, None), Limited),
        ((1, None), Refusal),
        ((200, None), Refusal),
        ((368, None), Refusal),
    ],
    ids=str,
)
async def test_an_error_means_what_its_number_says(
    place: Place, error: tuple[int, int | None], meaning: type[Exception]
) -> None:
    place.fake.refuse.append(error)
    with pytest.raises(meaning) as raised:
        await connector.posts(place.asker, place.grant)
    assert not isinstance(raised.value, Refusal) or not raised.value.is_missing


async def test_a_post_has_the_first_line_as_title_and_its_hashtags(place: Place) -> None:
    (post,) = await connector.posts(place.asker, place.grant)
    assert (post.post_id, post.made_at, post.title, post.tags) == (POST, NOON, "A box of buttons", ("knots",))
    assert post.address == f"https://www.facebook.com/sowerby{PAGE}/posts/1"


@pytest.mark.parametrize("made", ["0001-01-01T00:00:00+0100", "9999-12-31T23:59:59-0100", "2026-11-22", 7, None])
async def test_a_post_of_no_time_is_no_post(place: Place, made: object) -> None:
    listed = {"data": [{"id": POST, "created_time": made}]}
    place.fake.suffer(Says(200, {}, json.dumps(listed).encode()))
    with pytest.raises(Garbled):
        await connector.posts(place.asker, place.grant)


@pytest.mark.parametrize("odd", ["no ids", "an object", "error under 200"])
async def test_posts_that_cannot_be_read_are_no_posts(place: Place, odd: str) -> None:
    place.fake.odd.append(odd)
    with pytest.raises(Unanswered):
        await connector.posts(place.asker, place.grant)


# Limits


@pytest.mark.parametrize("header", ["X-App-Usage", "X-Page-Usage"])
async def test_near_the_limit_it_slows_down_but_still_answers_people(place: Place, header: str) -> None:
    place.fake.usage = {header: {"call_count": 81, "total_time": 3, "total_cputime": 3}}
    place.fake.write("ben", PAGE, "hello")
    await connector.posts(place.asker, place.grant)
    with pytest.raises(Limited) as limited:
        await connector.posts(place.asker, place.grant)
    assert limited.value.retry_after == pytest.approx(600, abs=5)
    await connector.send(place.asker, place.grant, place.fake.psid(PAGE, "ben"), "hello")
    place.fake.usage = {}
    place.time.now += 601
    await connector.posts(place.asker, place.grant)


async def test_it_waits_as_long_as_facebook_says(place: Place) -> None:
    told = [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 19}]
    place.fake.usage = {"X-Business-Use-Case-Usage": {PAGE: told}}
    await connector.posts(place.asker, place.grant)
    with pytest.raises(Limited) as limited:
        await connector.posts(place.asker, place.grant)
    assert limited.value.retry_after == pytest.approx(19 * 60, abs=5)


async def test_one_pages_limit_slows_no_other_down(place: Place) -> None:
    other = place.fake.page(OTHER, "ben")
    place.fake.usage = {"X-Page-Usage": {"call_count": 95}}
    await connector.posts(place.asker, place.grant)
    place.fake.usage = {}
    account = AccountRef(platform="facebook", account_id=OTHER)
    await connector.posts(place.asker, Grant(account=account, access_token=other.token))


@pytest.mark.parametrize("usage", ["x", 7, None, [], {"call_count": True}, {"call_count": "99"}, {"a": [1, None]}])
async def test_a_usage_header_that_cannot_be_read_says_nothing(place: Place, usage: object) -> None:
    place.fake.usage = {"X-App-Usage": usage, "X-Business-Use-Case-Usage": usage}
    for _ in range(2):
        await connector.posts(place.asker, place.grant)


# Ids and subscriptions


async def test_a_persons_id_on_a_page_is_told_within_one_business(place: Place) -> None:
    asid = place.fake.asid("ben")
    assert await connector.page_scoped(place.asker, asid, PAGE) == place.fake.psid(PAGE, "ben")
    place.fake.page(OTHER, "cleo", same_business=False)
    with pytest.raises(Refusal):
        await connector.page_scoped(place.asker, asid, OTHER)


async def test_a_wrong_secret_of_ours_takes_no_page_its_access(place: Place) -> None:
    place.fake.refuse.append((190, None))
    with pytest.raises(Refusal, match="app_secret") as refused:
        await connector.page_scoped(place.asker, place.fake.asid("ben"), PAGE)
    assert refused.value.is_ours
    message = "Invalid appsecret_proof provided in the API argument"
    error = {"error": {"message": message, "type": "GraphMethodException", "code": 100}}
    place.fake.suffer(Says(400, {}, json.dumps(error).encode()))
    with pytest.raises(Refusal, match="app_secret") as refused:
        await connector.reactors(place.asker, place.grant, POST)
    assert refused.value.is_ours
    assert not refused.value.is_missing


async def test_a_page_is_subscribed_once(place: Place) -> None:
    assert await connector.subscribe(place.asker, place.grant)
    assert place.fake.pages[PAGE].fields == set(FIELDS)
    assert not await connector.subscribe(place.asker, place.grant)
    place.fake.pages[PAGE].fields = {"feed"}
    assert await connector.subscribe(place.asker, place.grant)


async def test_a_talk_that_is_not_open_is_refused(place: Place) -> None:
    with pytest.raises(Refusal) as refused:
        await connector.send(place.asker, place.grant, place.fake.psid(PAGE, "ben"), "hello")
    assert (refused.value.code, refused.value.subcode) == (10, 2018278)


# The operator's set-up

ADDRESSES = Addresses(deliveries="https://hub.example/webhooks/facebook", callback=CALLBACK)


def registered(*fields: str, address: str = ADDRESSES.deliveries, what: str = "page") -> dict[str, Any]:
    named = [{"name": each, "version": "v25.0"} for each in fields]
    return {"object": what, "callback_url": address, "fields": named, "active": True}


async def test_a_set_up_that_is_right_is_said_to_be(place: Place) -> None:
    place.fake.subscriptions = [registered(*FIELDS), registered("connected", what="permissions")]
    found = await connector.check(place.asker, ADDRESSES)
    assert [each.ok for each in found] == [True, True, True]
    assert "Flattr Hub" in found[0].text


@pytest.mark.parametrize(
    ("subscription", "text"),
    [
        (None, "not registered"),
        (registered(*FIELDS, address="https://old.example/webhooks/facebook"), "another address"),
        (registered("feed"), "messages"),
        ({**registered(*FIELDS), "active": False}, "switched off"),
    ],
    ids=str,
)
async def test_what_is_missing_is_named_with_its_remedy(
    place: Place, subscription: dict[str, Any] | None, text: str
) -> None:
    place.fake.subscriptions = [subscription] if subscription else []
    page = (await connector.check(place.asker, ADDRESSES))[1]
    assert not page.ok
    assert text in page.text
    assert ADDRESSES.deliveries in page.remedy or "subscribe" in page.remedy
    assert all(heard.method == "GET" for heard in place.fake.heard)


async def test_a_wrong_secret_is_named(place: Place) -> None:
    asker = Asker(
        client=place.client,
        secrets={"app_id": (place.fake.client_id.encode(),), "app_secret": (b"old",)},
        settings=place.fake.settings,
        clock=place.time.clock,
    )
    (found,) = await connector.check(asker, ADDRESSES)
    assert not found.ok
    assert "settings/basic" in found.remedy


async def test_an_answer_that_is_no_object_is_garbled(place: Place) -> None:
    place.fake.suffer(Says(200, {}, b"[]"))
    with pytest.raises(Garbled):
        await connector.posts(place.asker, place.grant)
