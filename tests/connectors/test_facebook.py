"""Facebook's connector: the contract kit over recordings, the published payloads, order, and addresses."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from connectors import kit
from connectors.base import Delivery, Rejected, Secrets, Unreadable
from connectors.facebook import connector, invitation, read_signed_request
from core import likes
from core.database import Database
from core.events import AccountRef, Event, Gone, Liked, Messaged, Revoked, ThingRef, Unliked
from core.people import persons
from core.people.codes import ALPHABET, looks_like_code
from core.rules import Rules
from core.tables import Flattr, Like

SECRET = b"It's a Secret to Everybody"
SECRETS: Secrets = {"app_secret": (SECRET,)}
FOLDER = Path(__file__).parent / "facebook"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
SECOND = int(NOON.timestamp())
PAGE = "105691394435112"
POST = f"{PAGE}_407298303721936"
FAN = "3450429531722233"


def sign(delivery: Delivery, secrets: Secrets) -> Delivery:
    code = hmac.digest(secrets["app_secret"][0], delivery.body, "sha256").hex()
    return replace(delivery, headers={**delivery.headers, "x-hub-signature-256": (f"sha256={code}",)})


def delivered(body: object) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sign(Delivery(method="POST", path="/", body=raw, received_at=NOON), SECRETS)


def told(body: object) -> list[Event]:
    delivery = delivered(body)
    connector.verify(delivery, SECRETS)
    return list(connector.translate(delivery))


def account(account_id: str) -> AccountRef:
    return AccountRef(platform="facebook", account_id=account_id)


def thing(native_id: str) -> ThingRef:
    return ThingRef(platform="facebook", native_id=native_id, url=f"https://www.facebook.com/{native_id}")


def standing_in(db: Database, rules: Rules, events: Sequence[Event]) -> list[tuple[str, str, bool]]:
    with db.reading(writable=True) as tx:
        for event in events:
            by = getattr(event, "by", None)
            if by is not None:
                persons.ensure_person(tx, by, datetime(2016, 1, 1, tzinfo=UTC))
        for second, event in enumerate(events):
            likes.record(tx, rules, event, NOON + timedelta(seconds=second))
        return sorted((str(like.account_id), like.fact, like.standing) for like in tx.exec(select(Like)).all())


CHECKS = kit.checks(connector, FOLDER, sign=sign)


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


def test_its_deliveries_converge_in_the_real_books(sqlite_db: Database, rules: Rules) -> None:
    def standing(events: Sequence[Event]) -> object:
        return standing_in(sqlite_db, rules, events)

    rows = kit.checks(connector, FOLDER, sign=sign, standing=standing)
    next(check for check in rows if str(check) == "deliveries converge")()


# The published payloads


def liked(page: str, psid: str, native_id: str, second: int) -> Liked:
    at = datetime.fromtimestamp(second, UTC)
    return Liked(
        by=account(f"{page}:{psid}"),
        thing=thing(native_id),
        author=account(page),
        at=at,
        order=second * 1_000_000,
    )


def unliked(page: str, psid: str, native_id: str, second: int) -> Unliked:
    return Unliked(
        by=account(f"{page}:{psid}"),
        thing=thing(native_id),
        at=datetime.fromtimestamp(second, UTC),
        order=second * 1_000_000,
    )


OLD = "1142469655832956"
MESSAGE = Messaged(
    by=account("12345654332:987654321432"),
    text="hello, world!",
    message_id="mid.1457764197618:41d102a3e1ae206a38",
    at=datetime(2016, 3, 12, 6, 29, 57, 627000, tzinfo=UTC),
)

PUBLISHED: dict[str, list[list[Event]]] = {
    # Captured: the Page acts on its own posts in most of these, and a Page's own acts never count.
    "captured2016_comment_add.json": [[]],
    "captured2016_page_like_add.json": [[liked(OLD, "1186329501459477", f"page:{OLD}", 1478439821)]],
    "captured2016_post_like_add.json": [[]],
    "captured2016_reaction_add_no_reaction_type.json": [[]],
    "captured2020_comments_and_reaction_edits.json": [
        [],
        [],
        [liked(PAGE, FAN, POST, 1608952440)],
        [liked(PAGE, FAN, POST, 1608952435)],
    ],
    "captured2020_reactions_add.json": [
        [liked(PAGE, "1056913944332", "106403761078808_292875975764918", 1614501927)],
        [liked(PAGE, "10569139443412", f"{PAGE}_208770550911373", 1608952690)],
        [liked(PAGE, "10569139112", f"{PAGE}_244445617083583", 1608952553)],
        [liked(PAGE, "105691392112", f"{PAGE}_244445617083583", 1608952545)],
        [liked(PAGE, "105691394434112", f"{PAGE}_244445617083583", 1608951840)],
        [liked(PAGE, "1056913944123112", f"{PAGE}_221812449335513", 1608950748)],
    ],
    # Answers of the Graph API and errors are no deliveries: they mean nothing where webhooks arrive.
    "restfb_debug-token-info.json": [[]],
    "restfb_debug-token-info-3.json": [[]],
    "restfb_debug-token-info-4.json": [[]],
    "restfb_exampleError.json": [[]],
    "restfb_exampleErrorNew.json": [[]],
    "restfb_exampleOauthError.json": [[]],
    "restfb_v10_0_account.json": [[]],
    "restfb_v2_5_user-likes.json": [[]],
    "send_api_response_sample.json": [[]],
    # The shapes of 2015 to now.
    "restfb_webhooks_feed-comment-add-25.json": [[]],
    "restfb_webhooks_feed-like-add-25.json": [
        [liked("1234567890321", "909653922461664", "909653922461664_940663242694065", 1450701319)]
    ],
    "restfb_webhooks_feed-like-add-page-25.json": [
        [liked("1234567890321", "10201978818232600", "page:1234567890321", 1450720238)]
    ],
    "restfb_webhooks_feed-like-remove-25.json": [[]],
    "restfb_webhooks_feed-post-remove-25.json": [[Gone(thing=thing("1234567890321_901097836652708"))]],
    "restfb_webhooks_feed-reaction-add-comment.json": [[]],
    "restfb_webhooks_feed-reaction-add-reply.json": [[]],
    "restfb_webhooks_feed-reaction-add.json": [[]],
    "restfb_webhooks_feed-reaction-edit.json": [[]],
    "restfb_webhooks_feed-reaction-remove.json": [[]],
    "restfb_webhooks_feed-share-add-25.json": [[]],
    "restfb_webhooks_feed-status-add-25.json": [[]],
    "restfb_webhooks_feed-two-entries-25.json": [[]],
    "restfb_webhooks_user-likes-add.json": [
        [
            Liked(
                by=account("app:1234567897654321"),
                thing=thing("page:9988776655443322"),
                author=account("9988776655443322"),
                at=datetime.fromtimestamp(1530570467, UTC),
                order=1530570467_000_000,
            )
        ]
    ],
    "restfb_webhooks_permission-granted.wh-1.json": [[]],
    "restfb_webhooks_permission-granted.wh-2.json": [[]],
    "restfb_webhooks_messaging-message-basic.json": [[MESSAGE]],
    "restfb_webhooks_messaging-message-basic-echo.json": [[]],
    "restfb_webhooks_messaging-accountlinking-unlinked.json": [[]],
    "restfb_webhooks_messaging-delivery-basic.json": [[]],
    "restfb_webhooks_messaging-optin-basic.json": [[]],
    "restfb_webhooks_messaging-policy-callback-block.json": [[]],
    "restfb_webhooks_messaging-postback-referral.json": [[]],
    "restfb_webhooks_messaging-reaction-1.json": [[]],
    "restfb_webhooks_messaging-read-basic.json": [[]],
    "restfb_webhooks_messaging-referral-basic.json": [[]],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_payload_means_what_the_table_says(payloads: Path, name: str) -> None:
    content = json.loads((payloads / "facebook" / name).read_text())
    bodies = content if isinstance(content, list) else [content]
    assert [told(body) for body in bodies] == PUBLISHED[name]


def test_every_published_payload_is_in_the_table(payloads: Path) -> None:
    assert {file.name for file in (payloads / "facebook").glob("*.json")} == set(PUBLISHED)


def published(payloads: Path, name: str, page: str) -> list[Event]:
    """A payload in which the Page acted, as another Page would have been told of it."""
    content = json.loads((payloads / "facebook" / name).read_text())
    content["entry"][0]["id"] = page
    return told(content)


def test_the_published_reactions_count_once_somebody_else_than_the_page_gave_them(payloads: Path) -> None:
    post, second = "1234567890321_98735342324352", 1475578854
    for name, expected in {
        "restfb_webhooks_feed-reaction-add.json": liked("77", "1234567890321", post, second),
        "restfb_webhooks_feed-reaction-edit.json": liked("77", "1234567890321", post, second),
        "restfb_webhooks_feed-reaction-remove.json": unliked("77", "1234567890321", post, second),
        "captured2016_reaction_add_no_reaction_type.json": liked(
            "77", OLD, "1142469655832956_1164870100259578", 1478440417
        ),
        "captured2016_post_like_add.json": liked("77", OLD, "1142469655832956_1163393020407286", 1478439308),
        "restfb_webhooks_feed-like-remove-25.json": unliked(
            "77", "1234567890321", "1234567890321_940663242694065", 1450701322
        ),
    }.items():
        assert published(payloads, name, "77") == [expected], name


# What a reaction is


def reaction(verb: str, kind: str | None = "like", second: int = SECOND, **changes: Any) -> dict[str, Any]:
    value = {
        "from": {"id": FAN, "name": "Fan"},
        "item": "reaction",
        "verb": verb,
        "reaction_type": kind,
        "post_id": POST,
        "created_time": second,
    } | changes
    return {"object": "page", "entry": [{"id": PAGE, "time": second, "changes": [{"field": "feed", "value": value}]}]}


@pytest.mark.parametrize("verb", ["add", "edit"])
@pytest.mark.parametrize(
    ("kind", "is_like"),
    [
        ("like", True),
        ("love", True),
        ("care", True),
        ("wow", True),
        ("LOVE", True),
        (None, True),
        ("haha", False),
        ("sorry", False),
        ("sad", False),
        ("anger", False),
        ("thankful", False),
        ("something new", False),
    ],
)
def test_the_kind_decides_whether_it_is_a_like(verb: str, kind: str | None, is_like: bool) -> None:
    (event,) = told(reaction(verb, kind))
    assert isinstance(event, Liked) is is_like


def test_an_edit_to_a_kind_that_is_no_like_takes_back_what_the_edit_back_gives_again(
    sqlite_db: Database, rules: Rules
) -> None:
    story = [
        *told(reaction("add", "like", SECOND)),
        *told(reaction("edit", "love", SECOND + 1)),
        *told(reaction("edit", "anger", SECOND + 2)),
        *told(reaction("edit", "wow", SECOND + 3)),
    ]
    assert [each[2] for each in standing_in(sqlite_db, rules, story)] == [True]
    with sqlite_db.reading(writable=True) as tx:
        member = story[0].by  # type: ignore[union-attr]
        persons.ensure_person(tx, member, datetime(2016, 1, 1, tzinfo=UTC))
        for event in story[:3]:
            likes.record(tx, rules, event, NOON)
        assert [each.standing for each in tx.exec(select(Like))] == [False]
        likes.record(tx, rules, story[3], NOON)
        assert [each.standing for each in tx.exec(select(Flattr))] == [True]
        assert len(tx.exec(select(Like)).all()) == 1


@settings(max_examples=40, deadline=None)
@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from([("add", "like"), ("edit", "love"), ("edit", "anger"), ("remove", "like")]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_the_order_of_receipt_even_within_a_second_the_end_is_the_same(
    acts: list[tuple[tuple[str, str], int]], sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import shutil

    from core.money import currency

    path = tmp_path_factory.mktemp("order") / "hub.db"
    shutil.copyfile(sqlite_template, path)
    db = Database(f"sqlite:///{path}")
    rules = Rules(money=currency("EUR"), pseudonym_key=b"for tests")
    events = [told(reaction(verb, kind, SECOND + second))[0] for (verb, kind), second in acts]
    try:
        ends = {
            tuple(standing_in(db, rules, [*order, *order[:1]])) for order in itertools.permutations(events, len(events))
        }
    finally:
        db.dispose()
    assert len(ends) == 1


def test_within_one_second_taking_back_wins(sqlite_db: Database, rules: Rules) -> None:
    given_, taken = told(reaction("add"))[0], told(reaction("remove"))[0]
    for order in ([given_, taken], [taken, given_]):
        assert [each[2] for each in standing_in(sqlite_db, rules, order)] == [False]


@pytest.mark.parametrize(
    "changes",
    [
        {"from": None},
        {"from": {"name": "Fan"}},
        {"from": {"id": "fan"}},
        {"from": {"id": True}},
        {"post_id": "407298303721936"},
        {"post_id": "../me"},
        {"post_id": None},
        {"created_time": "yesterday"},
        {"created_time": -1},
        {"created_time": 10**12},
        {"created_time": True},
        {"reaction_type": 1},
    ],
    ids=str,
)
def test_a_reaction_that_is_not_as_documented_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        connector.translate(delivered(reaction("add", **changes)))


@pytest.mark.parametrize(
    "changes",
    [{"comment_id": "1_2"}, {"from": {"id": PAGE}}, {"from": {"id": int(PAGE)}}, {"verb": "hide"}, {"item": "album"}],
    ids=str,
)
def test_what_is_no_ones_like_of_the_post_is_left_out(changes: dict[str, Any]) -> None:
    assert told(reaction(**{"verb": "add", **changes})) == []


def test_a_thousand_changes_fit_into_a_delivery() -> None:
    body = reaction("add")
    change = body["entry"][0]["changes"][0]
    body["entry"][0]["changes"] = [
        {**change, "value": {**change["value"], "from": {"id": str(10**14 + number), "name": "F" * 200}}}
        for number in range(1000)
    ]
    delivery = delivered(body)
    assert len(delivery.body) < connector.card.largest_body
    assert len(connector.translate(delivery)) == 1000


def test_one_broken_change_makes_a_dead_letter_rather_than_a_lost_like() -> None:
    body = reaction("add")
    body["entry"][0]["changes"].append({"field": "feed", "value": {"item": "reaction", "verb": "add"}})
    with pytest.raises(Unreadable):
        connector.translate(delivered(body))


def test_a_permission_taken_back_is_told_once_however_many_there_are() -> None:
    changes = [{"field": "connected", "verb": "revoked"}, {"field": "pages_messaging", "value": {"verb": "revoked"}}]
    body = {"object": "permissions", "entry": [{"id": "5", "uid": "5", "time": 1, "changes": changes}]}
    assert told(body) == [Revoked(by=account("app:5"))]


# Talking


def said(**what: Any) -> list[Event]:
    stamp = {"timestamp": SECOND * 1000, "sender": {"id": FAN}, "recipient": {"id": PAGE}}
    return told({"object": "page", "entry": [{"id": PAGE, "time": 1, "messaging": [stamp | what]}]})


@pytest.mark.parametrize(
    "what",
    [
        {"referral": {"ref": "BCDFG-HJKLM"}},
        {"postback": {"payload": "x", "referral": {"ref": "bcdfghjklm"}}},
        {"optin": {"ref": " bcdfg-hjklm "}},
        {"account_linking": {"status": "linked", "authorization_code": "BCDFG-HJKLM"}},
    ],
    ids=str,
)
def test_who_comes_with_a_link_code_has_sent_it(what: dict[str, Any]) -> None:
    (event,) = said(**what)
    assert isinstance(event, Messaged)
    assert event.text == "BCDFG-HJKLM"
    assert looks_like_code(event.text)
    assert said(**what) == [event]


@given(st.text(alphabet=ALPHABET, min_size=10, max_size=10))
def test_every_code_that_the_hub_gives_is_known_again(code: str) -> None:
    assert [event.text for event in said(referral={"ref": code}) if isinstance(event, Messaged)] == [
        f"{code[:5]}-{code[5:]}"
    ]
    assert invitation(PAGE, code) == f"https://m.me/{PAGE}?ref={code}"


@pytest.mark.parametrize(
    "what",
    [
        {"message": {"mid": "m", "text": "x", "is_echo": True}},
        {"message": {"mid": "m", "is_deleted": True, "text": "x"}},
        {"message": {"mid": "m"}},
        {"message": {"mid": "m", "text": "  "}},
        {"message": {"mid": "m", "text": "x"}, "sender": {"id": PAGE}},
        {"referral": {"ref": "campaign"}},
        {"referral": {"ref": ["BCDFG-HJKLM"]}},
        {"read": {"watermark": 1}},
        {"delivery": {"mids": []}},
        {"account_linking": {"status": "linked", "authorization_code": "a password"}},
        {"account_linking": {"status": "unlinked"}},
    ],
    ids=str,
)
def test_what_nobody_said_is_not_answered(what: dict[str, Any]) -> None:
    assert said(**what) == []


# Who removed the app


def signed_request(content: object, secret: bytes = SECRET, padding: str = "") -> str:
    payload = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    code = hmac.digest(secret, payload.encode(), "sha256")
    return f"{base64.urlsafe_b64encode(code).decode().rstrip('=')}{padding}.{payload}"


PERSON = {"algorithm": "HMAC-SHA256", "user_id": "218471", "issued_at": 1291836800, "expires": 1291840400}


@pytest.mark.parametrize("padding", ["", "="])
def test_a_signed_request_names_who_removed_the_app(padding: str) -> None:
    found = read_signed_request(signed_request(PERSON, padding=padding), SECRETS)
    assert found.account == account("app:218471")
    assert found.issued_at == datetime.fromtimestamp(1291836800, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "é.é",
        "a.b",
        signed_request(PERSON, b"another secret"),
        signed_request(PERSON)[:-1],
        signed_request(PERSON) + "e",
        "." + signed_request(PERSON).partition(".")[2],
        signed_request({**PERSON, "algorithm": "none"}),
        signed_request({**PERSON, "user_id": "me"}),
        signed_request({**PERSON, "issued_at": None}),
        signed_request([]),
        signed_request("x" * 20_000),
    ],
)
def test_a_signed_request_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        read_signed_request(text, SECRETS)


@pytest.mark.parametrize("secrets", [{}, {"app_secret": ()}, {"app_secret": (b"",)}], ids=str)
def test_without_a_secret_nobody_is_believed(secrets: Secrets) -> None:
    for forged in (signed_request(PERSON), signed_request(PERSON, b"")):
        with pytest.raises(Rejected):
            read_signed_request(forged, secrets)


# The handshake


def question(**query: str) -> Delivery:
    named = {f"hub.{name}": value for name, value in query.items()}
    return Delivery(method="GET", path="/webhooks/facebook", query=named, received_at=NOON)


WORDS: Secrets = {"verify_token": (b"old", b"new")}


@pytest.mark.parametrize("word", ["old", "new"])
def test_the_handshake_is_echoed_as_plain_text(word: str) -> None:
    answer = connector.challenge(question(mode="subscribe", challenge="123", verify_token=word), WORDS)
    assert answer is not None
    assert (answer.status, answer.body, answer.content_type) == (200, b"123", "text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "subscribe", "challenge": "123", "verify_token": "guess"},
        {"mode": "subscribe", "challenge": "123", "verify_token": ""},
        {"mode": "subscribe", "challenge": "123"},
        {"mode": "unsubscribe", "challenge": "123", "verify_token": "new"},
        {"mode": "subscribe", "challenge": "<script>", "verify_token": "new"},
        {"mode": "subscribe", "verify_token": "new"},
        {},
    ],
    ids=str,
)
def test_a_handshake_that_is_not_facebooks_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        connector.challenge(question(**query), WORDS)
    with pytest.raises(Rejected):
        connector.challenge(question(mode="subscribe", challenge="1", verify_token=""), {"verify_token": (b"",)})


# Addresses

PFBID = "pfbid02abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("url", "native_id"),
    [
        (f"https://www.facebook.com/{POST}", POST),
        ("https://www.facebook.com/permalink.php?story_fbid=407298303721936&id=105691394435112", POST),
        ("https://m.facebook.com/story.php?story_fbid=407298303721936&id=105691394435112&__tn__=R", POST),
        ("http://facebook.com/105691394435112/posts/407298303721936/", POST),
        ("https://de-de.facebook.com/105691394435112/posts/some-words/407298303721936?mibextid=x", POST),
        ("https://www.facebook.com/105691394435112", f"page:{PAGE}"),
        ("https://www.facebook.com/pages/Sowerby/105691394435112", f"page:{PAGE}"),
    ],
)
def test_an_address_with_ids_names_the_thing_but_only_a_page_itself_its_maker(url: str, native_id: str) -> None:
    named = connector.resolve(url)
    assert named is not None
    assert (named[0].platform, named[0].native_id) == ("facebook", native_id)
    assert named[1] == (account(PAGE) if native_id.startswith("page:") else None), "anybody can type a Page's number"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://m.facebook.com/sowerby/posts/407298303721936?ref=x", "/sowerby/posts/407298303721936"),
        (f"https://www.facebook.com/sowerby/posts/a-nice-day/{PFBID}", f"/sowerby/posts/{PFBID}"),
        (
            f"https://www.facebook.com/permalink.php?id=105691394435112&story_fbid={PFBID}",
            f"/permalink.php?story_fbid={PFBID}&id=105691394435112",
        ),
        ("https://www.facebook.com/photo.php?fbid=55&set=a.1&type=3", "/photo/?fbid=55"),
        ("https://www.facebook.com/photo/?fbid=55&set=a.1", "/photo/?fbid=55"),
        ("https://www.facebook.com/sowerby/photos/a.12/55/?type=3", "/photo/?fbid=55"),
        ("https://www.facebook.com/sowerby/photos/55", "/photo/?fbid=55"),
        ("https://www.facebook.com/watch/?v=77&ref=sharing", "/watch/?v=77"),
        ("https://www.facebook.com/video.php?v=77", "/watch/?v=77"),
        ("https://web.facebook.com/sowerby/videos/77/", "/watch/?v=77"),
        ("https://www.facebook.com/sowerby/videos/a-talk/77/", "/watch/?v=77"),
        ("https://www.facebook.com/reel/99?s=1", "/reel/99"),
        ("https://www.facebook.com/share/p/1AbCdEf/?mibextid=x", "/share/p/1AbCdEf/"),
        ("https://www.facebook.com/share/1AbCdEf/", "/share/1AbCdEf/"),
        ("https://www.facebook.com/groups/knots/permalink/12/", "/groups/knots/posts/12"),
        ("https://www.facebook.com/groups/12345/posts/67", "/groups/12345/posts/67"),
        ("https://www.facebook.com/profile.php?id=100064&sk=about", "/profile.php?id=100064"),
        ("https://www.facebook.com/people/Ann-Onym/100064/", "/profile.php?id=100064"),
        ("https://fb.com/sowerby.boxes", "/sowerby.boxes"),
        ("https://www.facebook.com/pg/sowerby/", "/sowerby"),
    ],
)
def test_an_address_without_ids_is_one_page_of_the_web(url: str, address: str) -> None:
    named = connector.resolve(url)
    assert named is not None
    assert (named[0].platform, named[0].native_id, named[1]) == ("web", f"https://www.facebook.com{address}", None)
    assert connector.resolve(named[0].url) == named


def test_a_short_address_is_kept_as_it_is() -> None:
    named = connector.resolve("https://fb.watch/aBc_9-x/?mibextid=1")
    assert named is not None
    assert (named[0].platform, named[0].url) == ("web", "https://fb.watch/aBc_9-x/")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.facebook.com/",
        "https://www.facebook.com/login",
        "https://www.facebook.com/watch",
        "https://www.facebook.com/photo.php?fbid=x",
        "https://www.facebook.com/permalink.php?story_fbid=1",
        "https://www.facebook.com/groups/knots",
        "https://www.facebook.com/sharer/sharer.php?u=https://example.org",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fexample.org",
        "https://www.facebook.com.evil.example/sowerby",
        "https://www.facebook.com:8443/sowerby",
        "https://fb.watch/",
        "https://me:secret@www.facebook.com/sowerby",
        "https://www.facebook.com/0105691394435112",
        "https://www.facebook.com/0105691394435112_1",
        "https://www.facebook.com/105691394435112/posts/0407298303721936",
        "facebook.com/sowerby",
        "",
    ],
)
def test_what_is_not_somebodys_page_is_left_to_others(url: str) -> None:
    assert connector.resolve(url) is None


def test_the_card_is_honest() -> None:
    card = connector.card
    assert card.light == "amber"
    steps = [step.format(address="https://hub.example/webhooks/facebook", callback="https://x") for step in card.setup]
    assert any("https://hub.example/webhooks/facebook/deletion" in step for step in steps)
