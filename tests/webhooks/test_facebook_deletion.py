"""Facebook's call-backs: who removed the app is unlinked, who wants it is forgotten; signed, once, and to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web
from sqlmodel import select

from connectors.facebook import user
from core.access.tables import Access
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.people import persons
from core.people.tables import Account, Person
from core.tables import Flattr
from tests.bot.facebook_world import PAGE, FacebookWorld, world
from tests.scene import Scene
from webhooks import facebook_deletion
from webhooks.facebook_deletion import DEAUTHORIZED, DELETION

T = TypeVar("T")
ADDRESS = "https://hub.example"


class Door:
    """The hub's call-backs on loopback."""

    def __init__(self, hub: FacebookWorld) -> None:
        self.hub = hub
        self.base = ""
        self.runner: web.AppRunner | None = None

    async def open(self) -> None:
        app = web.Application()
        facebook_deletion.add_routes(
            app,
            db=self.hub.scene.db,
            rules=self.hub.scene.rules,
            secrets=self.hub.asker.secrets,
            address=ADDRESS + "/",
            clock=self.hub.time.clock,
        )
        self.runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def close(self) -> None:
        assert self.runner is not None
        await self.runner.cleanup()

    def post(self, path: str, signed: str | bytes | dict[str, str]) -> tuple[int, Any]:
        async def asked() -> tuple[int, Any]:
            data = {"signed_request": signed} if isinstance(signed, str) else signed
            async with aiohttp.ClientSession() as session, session.post(self.base + path, data=data) as answer:
                is_json = answer.content_type == "application/json"
                return answer.status, await (answer.json() if is_json else answer.text())

        return self.hub.do(asked())

    def get(self, path: str) -> tuple[int, str]:
        async def asked() -> tuple[int, str]:
            async with aiohttp.ClientSession() as session, session.get(self.base + path) as answer:
                return answer.status, await answer.text()

        return self.hub.do(asked())


@pytest.fixture
def hub(scene: Scene) -> Iterator[FacebookWorld]:
    with world(scene) as place:
        place.creator()
        place.patron("fan")
        place.is_bound("fan")
        place.signs_in("fan")
        place.later(hours=1)
        place.fake.content(f"{PAGE}_1", PAGE)
        place.fake.like("fan", f"{PAGE}_1")
        place.deliver()
        yield place


@pytest.fixture
def door(hub: FacebookWorld) -> Iterator[Door]:
    opened = Door(hub)
    hub.do(opened.open())
    yield opened
    hub.do(opened.close())


def accesses(hub: FacebookWorld) -> int:
    with hub.scene.db.reading() as tx:
        return len(tx.exec(select(Access)).all())


def test_who_wants_everything_deleted_is_unlinked_forgotten_and_answered(hub: FacebookWorld, door: Door) -> None:
    hub.say("fan", "your statement")
    status, answer = door.post(DELETION, hub.fake.remove_app("fan"))
    assert status == 200
    assert list(answer) == ["url", "confirmation_code"]
    assert answer["url"] == f"{ADDRESS}{DELETION}/{answer['confirmation_code']}"
    ids = (f"app:{hub.fake.asid('fan')}", f"{PAGE}:{hub.fake.psid(PAGE, 'fan')}")
    with hub.scene.db.reading() as tx:
        assert {each.account_id for each in tx.exec(select(Account)).all()}.isdisjoint(ids)
        assert all(not (each.sent_to or "").endswith(ids[1]) for each in tx.exec(select(OutboxNote)).all())
        assert [each.state for each in outbox.listing(tx) if each.kind == "answer"] == ["failed"]
        fan = persons.person_of(tx, hub.scene.account("fan"))
        assert fan is not None
        assert fan.left_at is None
    assert accesses(hub) == 1  # the Page's
    status, text = door.get(answer["url"].removeprefix(ADDRESS))
    assert status == 200
    assert "Done on" in text


def test_what_was_given_before_stays_the_persons(hub: FacebookWorld, door: Door) -> None:
    door.post(DELETION, hub.fake.remove_app("fan"))
    with hub.scene.db.reading() as tx:
        (flattr,) = tx.exec(select(Flattr)).all()
        assert flattr.standing


def test_asked_twice_it_is_done_once_and_answered_the_same(hub: FacebookWorld, door: Door) -> None:
    signed = hub.fake.remove_app("fan")
    first = door.post(DELETION, signed)
    hub.later(hours=1)
    hub.signs_in("fan")
    assert door.post(DELETION, signed) == first
    assert door.post(DELETION, signed.replace(".", "=.")) == first
    assert hub.account_of(f"app:{hub.fake.asid('fan')}") is not None


def test_a_request_from_before_a_new_sign_in_deletes_nothing(hub: FacebookWorld, door: Door) -> None:
    signed = hub.fake.signed_request("fan")
    hub.later(hours=1)
    hub.signs_in("fan")
    status, _ = door.post(DELETION, signed)
    assert status == 200
    assert hub.account_of(f"app:{hub.fake.asid('fan')}") is not None


def test_who_has_nothing_but_facebook_here_leaves(hub: FacebookWorld, door: Door) -> None:
    hub.fake.user("only")
    ref = user(hub.fake.asid("only"))
    with hub.scene.db.transaction() as tx:
        persons.ensure_person(tx, ref, hub.at)
    hub.later(minutes=1)
    door.post(DELETION, hub.fake.signed_request("only"))
    with hub.scene.db.reading() as tx:
        assert persons.account_of(tx, ref) is None
        assert [each.left_at is not None for each in tx.exec(select(Person)).all()].count(True) == 1


def test_a_creators_page_stays_theirs_without_our_access(hub: FacebookWorld, door: Door) -> None:
    hub.signs_in("sowerby")
    hub.later(minutes=1)
    door.post(DELETION, hub.fake.signed_request("sowerby"))
    assert hub.account_of(PAGE) is not None
    assert accesses(hub) == 1  # the fan's


def test_of_somebody_unknown_the_request_is_answered_too(hub: FacebookWorld, door: Door) -> None:
    hub.fake.user("nobody")
    status, answer = door.post(DELETION, hub.fake.signed_request("nobody"))
    assert status == 200
    assert door.get(f"{DELETION}/{answer['confirmation_code']}")[0] == 200


def test_who_removed_the_app_is_asked_to_link_again_once(hub: FacebookWorld, door: Door) -> None:
    signed = hub.fake.remove_app("fan")
    for _ in range(2):
        assert door.post(DEAUTHORIZED, signed) == (200, "noted\n")
    hub.deliver()  # the webhook says the same
    assert len(hub.notes("relink")) == 1
    assert accesses(hub) == 1
    assert hub.account_of(f"app:{hub.fake.asid('fan')}") is not None


@pytest.mark.parametrize("path", [DELETION, DEAUTHORIZED])
def test_what_facebook_did_not_sign_is_refused(hub: FacebookWorld, door: Door, path: str) -> None:
    signed = hub.fake.signed_request("fan")
    signature, _, payload = signed.partition(".")
    hub.fake.client_secret = "another app's secret"
    forged = hub.fake.signed_request("fan")
    for text in (forged, f"{signature[:-1]}.{payload}", f"{signature}.{payload}x", "", "x", f".{payload}"):
        assert door.post(path, text)[0] == 401
    assert door.post(path, {"other": "x"})[0] == 400
    assert door.post(path, b"signed_request=a&signed_request=b")[0] == 400
    assert door.post(path, b"&".join([b"signed_request=a"] * 21))[0] == 400
    assert door.post(path, b"&" * 10_000)[0] == 400
    assert door.post(path, "x" * 20_000)[0] == 413
    assert hub.account_of(f"app:{hub.fake.asid('fan')}") is not None
    assert accesses(hub) == 2


@pytest.mark.parametrize("code", ["0" * 20, "x", "%25", "..", "0" * 2000])
def test_a_code_that_nobody_was_given_shows_nothing(door: Door, code: str) -> None:
    assert door.get(f"{DELETION}/{code}")[0] == 404
