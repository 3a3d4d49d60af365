"""Signing in as a whole, without a browser: from the bot's answer through a platform to the linked account."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from connectors.client import Client, Patience
from connectors.linking import Grant
from core.access import grants, visits
from core.access.admission import Arrival, TurnedAway
from core.access.tables import Access, Visit
from core.database import Database, DatabaseUnavailable
from core.events import AccountRef
from core.mail.sealing import Seal, new_key
from core.mail.tables import OutboxNote
from core.people import leaving, linking, persons
from core.people.tables import Audit
from core.rules import Rules
from tests.platforms.misbehaving import DROPS, Passing, Says
from tests.platforms.pool import Mill, MillConnector, Pool, PoolConnector, signed
from tests.scene import Scene
from webhooks.linking import SigningIn

T = TypeVar("T")
HUB = "https://hub.example"
ANN = AccountRef(platform="pond", account_id="id-ann", handle="ann")
TITLES = {"pond": "Pond", "pool": "Pool", "mill": "Mill"}


async def run(work: Callable[..., T], *given: object) -> T:
    """The core's work, off the loop."""
    return await asyncio.to_thread(work, *given)


@dataclass
class Porch:
    scene: Scene
    seal: Seal
    time: Passing
    pool: Pool
    mill: Mill
    signing: SigningIn
    told: list[bool] = field(default_factory=list)

    def begin(self, platform: str = "pool", intent: str = "link", by: AccountRef | None = ANN) -> str:
        with self.scene.db.transaction() as tx:
            return visits.begin(tx, by=by, platform=platform, intent=intent, at=self.time.clock())

    async def back(self, token: str, user: str | None = "7", session: str = "browser") -> tuple[str, dict[str, str]]:
        """Where the platform sends the browser, and with which query."""
        there = await self.signing.depart(token, session)
        fake: Pool | Mill = self.pool if there.startswith(self.pool.base) else self.mill
        back = await (fake.consent(there, user) if user else fake.decline(there))
        parts = urlsplit(back)
        return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))

    async def sign_in(self, platform: str = "pool", user: str = "7", intent: str = "link") -> Arrival:
        callback, query = await self.back(await run(self.begin, platform, intent), user)
        assert callback == f"{HUB}/link/{platform}/callback"
        return await self.signing.arrive(platform, query, "browser")

    def owner(self, ref: AccountRef) -> int | None:
        with self.scene.db.reading() as tx:
            person = persons.person_of(tx, ref)
            return person.id if person else None

    def grant(self, ref: AccountRef) -> Grant | None:
        with self.scene.db.reading() as tx:
            kept = grants.load(tx, ref)
            return Grant.unpacked(ref, self.seal.open(kept.sealed)) if kept else None

    def notes(self) -> list[tuple[str, str, str | None]]:
        with self.scene.db.reading() as tx:
            rows = tx.exec(select(OutboxNote).order_by(col(OutboxNote.id))).all()
            return [(row.kind, f"{row.platform}:{row.account_id}", row.text) for row in rows]


@pytest.fixture
async def porch(sqlite_db: Database, rules: Rules, at: datetime) -> AsyncIterator[Porch]:
    time = Passing(at)
    patience = Patience(attempts=2)
    told: list[bool] = []
    async with (
        Pool(clock=time.clock) as pool,
        Mill(clock=time.clock) as mill,
        Client(hub=HUB, patience=patience, **time.parts) as client,
    ):
        pool.users |= {"7": "annie", "8": "ben"}
        pool.pages["7"] = ["p1", "p2"]
        mill.users["9@N00"] = "miller"
        seal = Seal([new_key()])
        signing = SigningIn(
            db=sqlite_db,
            seal=seal,
            rules=rules,
            platforms={
                "pool": signed(PoolConnector(), pool, client, time.clock),
                "mill": signed(MillConnector(), mill, client, time.clock),
            },
            titles=TITLES,
            clock=time.clock,
            address=f"{HUB}/",
            told=lambda: told.append(True),
        )
        scene = Scene(sqlite_db, rules, at)
        await run(scene.person, "ann")
        yield Porch(scene, seal, time, pool, mill, signing, told)


POOL7 = AccountRef(platform="pool", account_id="7")
MILL9 = AccountRef(platform="mill", account_id="9@N00")


async def test_the_page_before_says_who_asked_and_looking_burns_nothing(porch: Porch) -> None:
    token = await run(porch.begin)
    for _ in range(5):
        found = await porch.signing.look(token)
        assert found is not None
        assert (found.title, found.intent, found.asked_by) == ("Pool", "link", "ann on Pond (pond:id-ann)")
        assert found.counts == "a splash under a picture"
    assert await porch.signing.look("x" * 43) is None
    await porch.back(token)
    assert await porch.signing.look(token) is not None


@pytest.mark.parametrize(("platform", "user", "account"), [("pool", "7", POOL7), ("mill", "9@N00", MILL9)])
async def test_a_whole_sign_in_links_the_account_and_keeps_its_access(
    porch: Porch, platform: str, user: str, account: AccountRef
) -> None:
    arrival = await porch.sign_in(platform, user)
    assert [(ref, what) for _, ref, what in arrival.accounts] == [(str(account), "linked")]
    assert (arrival.asked_on, arrival.title) == ("Pond", TITLES[platform])
    assert await run(porch.owner, account) == await run(porch.owner, ANN) is not None
    grant = await run(porch.grant, account)
    assert grant is not None
    if platform == "pool":
        assert porch.pool.access_by(grant.access_token) is not None
        assert grant.expires_at is not None
    ((kind, to, text),) = await run(porch.notes)
    assert (kind, to) == ("answer", "pond:id-ann")
    assert text is not None
    assert "its likes count from now on" in text
    assert f"unlink {account}" in text
    assert porch.told == [True]


async def test_least_rights_by_intent_and_pages_come_along(porch: Porch) -> None:
    await porch.sign_in()
    assert porch.pool.consents[-1]["scope"] == "likes.read"
    arrival = await porch.sign_in(intent="receive")
    assert porch.pool.consents[-1]["scope"] == "likes.read pages.read"
    assert [what for _, _, what in arrival.accounts] == ["known", "linked", "linked"]
    text = (await run(porch.notes))[-1][2]
    assert text is not None
    assert '"claim"' in text


async def test_what_is_stored_is_sealed(porch: Porch) -> None:
    await porch.back(await run(porch.begin))
    await porch.sign_in()
    grant = await run(porch.grant, POOL7)
    assert grant is not None

    def stored() -> str:
        with porch.scene.db.reading() as tx:
            rows = tx.execute(sa.select(Visit.__table__)).all() + tx.execute(sa.select(Access.__table__)).all()  # type: ignore[attr-defined]
            return repr(rows)

    content = await run(stored)
    for secret in (grant.access_token, grant.refresh_token, porch.pool.client_secret, "browser"):
        assert secret is not None
        assert secret not in content


@pytest.mark.parametrize("wrong", ["state", "empty", "platform", "session", "replay", "late", "unknown"])
async def test_a_wrong_way_back_is_refused_and_changes_nothing(porch: Porch, wrong: str) -> None:
    _, query = await porch.back(await run(porch.begin))
    platform, session = "pool", "browser"
    match wrong:
        case "state":
            query["state"] = "x" * 43
        case "empty":
            query = {}
        case "platform":
            platform = "mill"
        case "session":
            session = "another"
        case "replay":
            await porch.signing.arrive(platform, query, session)
        case "late":
            porch.time.now += 600
        case "unknown":
            platform = "nowhere"
    asked = len(porch.pool.heard)
    before = await run(porch.notes)
    with pytest.raises(TurnedAway) as away:
        await porch.signing.arrive(platform, query, session)
    assert away.value.status == (404 if wrong == "unknown" else 400)
    assert not away.value.again
    assert str(away.value)
    assert len(porch.pool.heard) == asked
    assert await run(porch.notes) == before
    assert (await run(porch.owner, POOL7) is None) == (wrong != "replay")


@pytest.mark.parametrize("strange", ["", "\udcff", "%ff", "x" * 100_000, "\0", "ü"])
async def test_strange_words_in_a_call_back_are_refused(porch: Porch, strange: str) -> None:
    with pytest.raises(TurnedAway):
        await porch.signing.arrive("pool", {"state": strange}, "browser")
    for platform, user in (("pool", "7"), ("mill", "9@N00")):
        token = await run(porch.begin, platform)
        for name in ("code", "oauth_token", "oauth_verifier", "error"):
            _, query = await porch.back(token, user)
            if name in query:
                with pytest.raises(TurnedAway) as away:
                    await porch.signing.arrive(platform, {**query, name: strange}, "browser")
                assert away.value.again


async def test_a_stolen_call_back_neither_links_nor_uses_up_the_rightful_one(porch: Porch) -> None:
    _, query = await porch.back(await run(porch.begin))
    with pytest.raises(TurnedAway, match="another browser"):
        await porch.signing.arrive("pool", query, "thief")
    assert (await porch.signing.arrive("pool", query, "browser")).accounts


async def test_the_latest_departure_counts(porch: Porch) -> None:
    token = await run(porch.begin)
    _, first = await porch.back(token)
    _, second = await porch.back(token)
    with pytest.raises(TurnedAway):
        await porch.signing.arrive("pool", first, "browser")
    assert (await porch.signing.arrive("pool", second, "browser")).accounts


async def test_an_address_is_one_browsers(porch: Porch) -> None:
    token = await run(porch.begin)
    await porch.signing.depart(token, "one")
    with pytest.raises(TurnedAway, match="another browser"):
        await porch.signing.depart(token, "other")


@pytest.mark.parametrize("platform", ["pool", "mill"])
async def test_a_no_is_taken_kindly_and_the_address_works_again(porch: Porch, platform: str) -> None:
    token = await run(porch.begin, platform)
    _, query = await porch.back(token, None)
    with pytest.raises(TurnedAway) as away:
        await porch.signing.arrive(platform, query, "browser")
    assert (away.value.declined, away.value.again, away.value.status) == (True, True, 200)
    assert await run(porch.notes) == []
    _, query = await porch.back(token, "7" if platform == "pool" else "9@N00")
    assert (await porch.signing.arrive(platform, query, "browser")).accounts


@pytest.mark.parametrize("fault", [Says(500), Says(503), DROPS, Says(200, {}, b"<html>")], ids=str)
async def test_a_platform_that_is_down_can_be_tried_again_with_the_same_address(porch: Porch, fault: object) -> None:
    token = await run(porch.begin)
    _, query = await porch.back(token)
    porch.pool.suffer(fault)  # type: ignore[arg-type]
    with pytest.raises(TurnedAway, match="does not answer") as away:
        await porch.signing.arrive("pool", query, "browser")
    assert (away.value.status, away.value.again) == (503, True)
    assert len(porch.pool.heard) == 1
    with pytest.raises(TurnedAway):  # the old call-back is worth nothing
        await porch.signing.arrive("pool", query, "browser")
    assert await run(porch.owner, POOL7) is None
    _, query = await porch.back(token)
    assert (await porch.signing.arrive("pool", query, "browser")).accounts


async def test_a_platform_that_is_down_at_the_start_says_so(porch: Porch) -> None:
    token = await run(porch.begin, "mill")
    porch.mill.suffer(*[Says(503)] * 5)
    with pytest.raises(TurnedAway) as away:
        await porch.signing.depart(token, "browser")
    assert away.value.status == 503
    porch.mill._faults.clear()
    porch.time.now += 60
    assert (await porch.signing.depart(token, "browser")).startswith(porch.mill.base)


async def test_an_address_ends_after_ten_minutes_and_after_its_use(porch: Porch) -> None:
    token = await run(porch.begin)
    porch.time.now += 600
    with pytest.raises(TurnedAway):
        await porch.signing.depart(token, "browser")
    token = await run(porch.begin)
    _, query = await porch.back(token)
    await porch.signing.arrive("pool", query, "browser")
    assert await porch.signing.look(token) is None
    with pytest.raises(TurnedAway):
        await porch.signing.depart(token, "browser")


async def test_another_persons_account_is_asked_about(porch: Porch) -> None:
    def bens() -> None:
        ben = porch.scene.person("ben")
        with porch.scene.db.transaction() as tx:
            linking.bind(tx, POOL7, person_id=ben, since=porch.scene.at, actor="test", at=porch.scene.at)
            persons.mark_spoken(tx, porch.scene.account("ben"), porch.scene.at)

    await run(bens)
    arrival = await porch.sign_in()
    assert ([what for _, _, what in arrival.accounts], arrival.answer_on) == (["asked"], "Pond")
    assert sorted(kind for kind, _, _ in await run(porch.notes)) == ["answer", "link_offer"]
    assert await run(porch.owner, POOL7) != await run(porch.owner, ANN)


async def test_a_database_that_is_away_for_a_moment_loses_no_sign_in(
    porch: Porch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhooks.linking._PAUSES", (0.0, 0.0))
    _, query = await porch.back(await run(porch.begin))
    transaction, away = Database.transaction, iter((False, True, True))

    def sometimes(db: Database) -> AbstractContextManager[Session]:
        if next(away, False):
            raise DatabaseUnavailable("away")
        return transaction(db)

    monkeypatch.setattr(Database, "transaction", sometimes)
    assert (await porch.signing.arrive("pool", query, "browser")).accounts
    monkeypatch.undo()
    assert await run(porch.owner, POOL7) == await run(porch.owner, ANN)
    assert len(await run(porch.notes)) == 1


async def test_linking_again_renews_the_access(porch: Porch) -> None:
    await porch.sign_in()
    first = await run(porch.grant, POOL7)
    porch.pool.withdraw("7")
    arrival = await porch.sign_in()
    assert [what for _, _, what in arrival.accounts] == ["known"]
    second = await run(porch.grant, POOL7)
    assert first is not None
    assert second is not None
    assert first.access_token != second.access_token
    assert porch.pool.access_by(second.access_token) is not None


async def test_who_leaves_while_the_platform_is_asked_is_not_linked(porch: Porch) -> None:
    _, query = await porch.back(await run(porch.begin))
    exchange = porch.signing._platforms["pool"].connector.exchange

    def leave() -> None:
        with porch.scene.db.transaction() as tx:
            person = persons.ensure_person(tx, ANN, porch.time.clock())
            leaving.stop(tx, porch.scene.rules, persons.key(person), porch.time.clock())

    async def slowly(*given: object, **more: object) -> object:
        await run(leave)
        return await exchange(*given, **more)  # type: ignore[arg-type]

    porch.signing._platforms["pool"].connector.exchange = slowly  # type: ignore[method-assign]
    with pytest.raises(TurnedAway, match="left"):
        await porch.signing.arrive("pool", query, "browser")
    assert await run(porch.owner, POOL7) is None
    assert await run(porch.grant, POOL7) is None


async def test_the_operator_lends_the_hub_an_account_that_is_nobodys(porch: Porch) -> None:
    token = await run(lambda: porch.begin(intent="bot", by=None))
    found = await porch.signing.look(token)
    assert found is not None
    assert (found.intent, found.asked_by) == ("bot", "")
    _, query = await porch.back(token)
    arrival = await porch.signing.arrive("pool", query, "browser")
    assert arrival.asked_on == ""
    assert await run(porch.grant, POOL7) is not None
    assert await run(porch.owner, POOL7) is None
    assert await run(porch.notes) == []

    def audited() -> list[str]:
        with porch.scene.db.reading() as tx:
            return [row.action for row in tx.exec(select(Audit)).all()]

    assert await run(audited) == ["lend"]


async def test_names_that_others_chose_do_not_look_like_lines_of_ours(porch: Porch) -> None:
    porch.pool.users["7"] = "x\n\nSay yes now: " + "y" * 500
    arrival = await porch.sign_in()
    assert "\n" not in arrival.accounts[0][0]
    assert len(arrival.accounts[0][0]) < 80


async def test_nothing_secret_is_logged(porch: Porch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[str] = []
    secrets: set[str] = {porch.pool.client_secret, porch.mill.api_secret}
    for platform, user in (("pool", "7"), ("mill", "9@N00")):
        token = await run(porch.begin, platform)
        for fault in (Says(500), Says(401, {}, b'{"error": "invalid_client"}'), None):
            _, query = await porch.back(token, user)
            secrets |= {token, *query.values()}
            if fault:
                (porch.pool if platform == "pool" else porch.mill).suffer(fault)
            try:
                await porch.signing.arrive(platform, query, "browser")
            except TurnedAway as away:
                heard.append("".join(traceback.format_exception(away)))
        grant = await run(porch.grant, POOL7 if platform == "pool" else MILL9)
        assert grant is not None
        secrets |= {each for each in (grant.access_token, grant.refresh_token, grant.token_secret) if each}
    said = caplog.text + "".join(heard)
    assert heard
    assert [secret for secret in secrets if len(secret) > 1 and secret in said] == []
