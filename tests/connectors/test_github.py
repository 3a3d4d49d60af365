"""GitHub's connector: the contract kit over recordings, GitHub's published payloads, and addresses."""

from __future__ import annotations

import hmac
import json
from collections import Counter
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
from connectors.github import connector
from core import likes
from core.database import Database
from core.events import AccountRef, Event, Liked, Revoked, ThingRef, Unliked
from core.people import persons
from core.rules import Rules
from core.tables import Like

SECRET = b"It's a Secret to Everybody"
SECRETS: Secrets = {"webhook_secret": (SECRET,)}
FOLDER = Path(__file__).parent / "github"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def sign(delivery: Delivery, secrets: Secrets) -> Delivery:
    code = hmac.digest(secrets["webhook_secret"][0], delivery.body, "sha256").hex()
    return replace(delivery, headers={**delivery.headers, "x-hub-signature-256": (f"sha256={code}",)})


def delivered(body: bytes, **headers: str) -> Delivery:
    plain = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return sign(Delivery(method="POST", path="/", headers=plain, body=body, received_at=NOON), SECRETS)


@pytest.mark.parametrize("check", kit.checks(connector, FOLDER, sign=sign), ids=str)
def test_the_contract_is_kept(check: kit.Check) -> None:
    check()


def test_its_deliveries_converge_in_the_real_books(sqlite_db: Database, rules: Rules) -> None:
    def standing(events: Sequence[Event]) -> object:
        with sqlite_db.reading(writable=True) as tx:
            persons.ensure_person(tx, events[0].by, datetime(2026, 11, 1, tzinfo=UTC))  # type: ignore[union-attr]
            for second, event in enumerate(events):
                likes.record(tx, rules, event, NOON + timedelta(seconds=second))
            return [(like.fact, like.standing) for like in tx.exec(select(Like)).all()]

    rows = kit.checks(connector, FOLDER, sign=sign, standing=standing)
    next(check for check in rows if str(check) == "deliveries converge")()
    star = connector.translate(next(each for each in kit.read(FOLDER) if each.name == "star.json").delivery)
    assert standing(star) == [("github:4242|like", True)]  # so the check above had something to compare


CODERTOCAT = AccountRef(platform="github", account_id="21031067")
HELLO_WORLD = ThingRef(platform="github", native_id="186853002", url="https://github.com/Codertocat/Hello-World")

# What each of GitHub's published payloads means. REST answers are not deliveries; the lists among them are
# unreadable as such, the objects mean nothing.
PUBLISHED: dict[str, Sequence[Event] | None] = {
    "star.created.json": [
        Liked(
            by=CODERTOCAT,
            thing=HELLO_WORLD,
            author=CODERTOCAT,
            at=datetime(2019, 5, 15, 15, 20, 40, tzinfo=UTC),
        )
    ],
    "star.deleted.json": [Unliked(by=CODERTOCAT, thing=HELLO_WORLD)],
    "github_app_authorization.revoked.json": [Revoked(by=AccountRef(platform="github", account_id="1"))],
    "watch.started.json": [],
    "watch.started.with-installation.json": [],
    "ping.with-app_id.json": [],
    "fork.json": [],
    "discussion.created.json": [],
    "discussion.edited.with-reactions.json": [],
    "installation.created.json": [],
    "installation.deleted.json": [],
    "issue_comment.created.json": [],
    "issues.opened.json": [],
    "sponsorship.created.json": [],
    "sponsorship.downgraded.json": [],
    "rest.user_by_id.default-response.json": [],
    "rest.app_hook_deliveries.json": None,
    "rest.issue_reactions.json": None,
    "rest.stargazers.alternative-response-with-star-creation-timestamps.json": None,
    "rest.stargazers.default-response.json": None,
    "rest.user_social_accounts.json": None,
    "rest.users_starred.json": None,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_payload_means_what_the_table_says(payloads: Path, name: str) -> None:
    delivery = delivered((payloads / "github" / name).read_bytes())
    connector.verify(delivery, SECRETS)
    expected = PUBLISHED[name]
    if expected is None:
        with pytest.raises(Unreadable):
            connector.translate(delivery)
    else:
        assert list(connector.translate(delivery)) == list(expected)


def test_every_published_payload_is_in_the_table(payloads: Path) -> None:
    assert {file.name for file in (payloads / "github").glob("*.json")} == set(PUBLISHED)


def test_the_published_star_carries_its_decoration(payloads: Path) -> None:
    body = (payloads / "github" / "star.created.json").read_bytes()
    (liked,) = connector.translate(delivered(body))
    assert isinstance(liked, Liked)
    assert (liked.thing.url, liked.thing.title) == (HELLO_WORLD.url, "Codertocat/Hello-World")
    assert liked.thing.tags == ("ruby",)
    assert (liked.by.handle, liked.by.url) == ("Codertocat", "https://github.com/Codertocat")
    assert not liked.by.is_bot


def test_a_published_star_and_its_end_meet_in_one_fact(payloads: Path) -> None:
    liked, unliked = (
        connector.translate(delivered((payloads / "github" / f"star.{action}.json").read_bytes()))[0]
        for action in ("created", "deleted")
    )
    assert isinstance(liked, Liked)
    assert isinstance(unliked, Unliked)
    assert (liked.by, liked.thing, liked.reaction) == (unliked.by, unliked.thing, unliked.reaction)


@pytest.mark.parametrize("event", ["star", "watch", "ping", "issues", "", "no such event"])
def test_the_events_name_and_the_deliverys_id_decide_nothing(payloads: Path, event: str) -> None:
    body = (payloads / "github" / "star.created.json").read_bytes()
    plain = delivered(body)
    other = delivered(body, x_github_event=event, x_github_delivery=f"another {event}")
    assert connector.verify(other, SECRETS) == connector.verify(plain, SECRETS)
    assert connector.translate(other) == connector.translate(plain)


def test_json_that_was_written_again_is_rejected(payloads: Path) -> None:
    delivery = delivered((payloads / "github" / "star.created.json").read_bytes())
    again = json.dumps(json.loads(delivery.body)).encode()
    assert again != delivery.body
    with pytest.raises(Rejected):
        connector.verify(replace(delivery, body=again), SECRETS)


def test_a_form_is_unreadable_and_says_the_remedy() -> None:
    with pytest.raises(Unreadable, match="content type to application/json"):
        connector.translate(delivered(b"payload=%7B%7D"))


def star(**changes: Any) -> Delivery:
    owner = {"id": 5, "login": "sowerby", "type": "User"}
    body: dict[str, Any] = {
        "action": "created",
        "starred_at": "2026-11-09T08:15:30Z",
        "repository": {"id": 4, "html_url": "https://github.com/sowerby/box", "private": False, "owner": owner},
        "sender": {"id": 6, "login": "fan", "type": "User"},
    }
    for path, value in changes.items():
        *before, last = path.split("__")
        holder = body
        for step in before:
            holder = holder[step]
        holder[last] = value
    return delivered(json.dumps(body).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"sender__id": "6"},
        {"sender__id": 6.0},
        {"sender__id": True},
        {"sender__id": 0},
        {"sender__id": -6},
        {"sender__id": 2**63},
        {"repository__id": None},
        {"repository": None},
        {"repository__owner": None},
        {"repository__html_url": "http://github.com/sowerby/box"},
        {"repository__html_url": "https://github.com.example/sowerby/box"},
        {"repository__html_url": "https://github.com@evil.example/sowerby/box"},
        {"starred_at": "yesterday"},
        {"starred_at": "2026-11-09T08:15:30"},
        {"starred_at": 1762676130},
        {"starred_at": "0001-01-01T00:00:00+23:59"},
        {"action": "deleted"},
    ],
    ids=str,
)
def test_a_star_that_is_not_as_documented_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        connector.translate(star(**changes))


@pytest.mark.parametrize("private", [True, None, "false", 0])
def test_only_a_repository_that_is_said_to_be_public_counts(private: object) -> None:
    assert connector.translate(star(repository__private=private)) == ()


@pytest.mark.parametrize(
    ("changes", "tags"),
    [
        ({}, ()),
        ({"repository__language": "C++"}, ("c++",)),
        ({"repository__topics": ["b", "a", "b"], "repository__language": "A"}, ("b", "a")),
        ({"repository__topics": "sewing"}, ()),
        ({"repository__topics": [1, None, "", "\x00", "\ud800", "ok"]}, ("ok",)),
    ],
    ids=str,
)
def test_broken_decoration_is_left_out_and_costs_no_star(changes: dict[str, Any], tags: tuple[str, ...]) -> None:
    (liked,) = connector.translate(star(**changes))
    assert isinstance(liked, Liked)
    assert liked.thing.tags == tags


@settings(deadline=None)  # a busy machine is no fault of the connector's
@given(st.binary(max_size=300), st.text(max_size=80))
def test_nothing_but_a_rejection_comes_of_noise(body: bytes, header: str) -> None:
    delivery = Delivery(
        method="POST", path="/", headers={"x-hub-signature-256": (header,)}, body=body, received_at=NOON
    )
    with pytest.raises(Rejected):
        connector.verify(delivery, SECRETS)


@settings(deadline=None)  # a busy machine is no fault of the connector's
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_nothing_but_unreadable_comes_of_a_signed_star_of_noise(noise: object) -> None:
    for field in ("action", "starred_at", "repository", "sender", "repository__owner", "repository__html_url"):
        try:
            connector.translate(star(**{field: noise}))
        except Unreadable:
            continue


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/sowerby/Button.Box",
        "http://github.com/sowerby/Button.Box/",
        "https://www.github.com/sowerby/Button.Box",
        "https://GitHub.com/sowerby/Button.Box.git",
        "https://github.com/sowerby/Button.Box?tab=readme-ov-file#usage",
    ],
)
def test_a_repositorys_page_has_the_address_that_its_star_has(url: str) -> None:
    page = "https://github.com/sowerby/Button.Box"
    named = connector.resolve(url)
    assert named is not None
    thing, author = named
    assert (thing.platform, thing.native_id, thing.url, author) == ("web", page, page, None)
    (liked,) = connector.translate(star(repository__html_url=page))
    assert isinstance(liked, Liked)
    assert liked.thing.url == thing.url


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/sowerby",
        "https://github.com/",
        "https://github.com/sowerby/box/issues/5",
        "https://github.com/topics/sewing",
        "https://github.com/-x/box",
        "https://github.com/sowerby/..",
        "https://gist.github.com/sowerby/1",
        "https://github.com:8443/sowerby/box",
        "https://github.com.evil.example/sowerby/box",
        "https://sowerby:secret@github.com/sowerby/box",
        "ftp://github.com/sowerby/box",
        "sowerby/box",
        "",
    ],
)
def test_what_is_not_a_repositorys_page_is_left_to_others(url: str) -> None:
    assert connector.resolve(url) is None


def test_the_card_is_honest() -> None:
    card = connector.card
    assert card.light == "amber"
    assert Counter(light.action for light in card.lights) == {"likes": 1, "accounts": 1}
    assert not card.ids_signed
    assert [
        step.format(address="https://hub.example/webhooks/github", callback="https://hub.example/back")
        for step in card.setup
    ]
