"""The hub on Discord: the real discord.py client against a small Discord on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
import sqlalchemy as sa
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from sqlmodel import Session, col, select

from bot import dialogue
from bot.discord.commands import fingerprint
from bot.discord.interactions import Answering, Said, set_room
from bot.discord.presence import INTENTS, DiscordPresence, DiscordRefused
from bot.discord.stream import Recorder
from bot.talk import PlatformFacts, Talk
from connectors import discord as words
from connectors.speaking import Button, Mouth, Picture, Unheard
from core.database import Database
from core.events import AccountRef, Gone, Liked, Messaged
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.months.tables import Month
from core.payments.sandbox import SandboxGateway
from core.people import persons
from core.people.tables import Account, Room
from core.rules import Rules
from core.tables import Flattr, Like, Thing
from tests.platforms.discord_gateway import (
    Event,
    FakeDiscord,
    direct_message,
    dm_of,
    interaction,
)

PATRON = 1033044521375764530
PICTURE = Picture(name="statement-2026-11.png", content=b"\x89PNG...", alt="Where it went")
GUILD, CHANNEL, MESSAGE = 1457468924290662599, 1457536551830421524, 1457536955662471180
HEART, THUMB = "❤️", "👍"


@dataclass
class Spoken:
    """What the conversation of these tests answers."""

    text: str
    buttons: tuple[Button, ...] = ()


@dataclass
class Hub:
    """A presence that is connected, and what a test wants to know about the books behind it."""

    fake: FakeDiscord
    db: Database
    rules: Rules
    at: datetime
    heard: list[tuple[str, str]] = field(default_factory=list)
    poked: int = 0
    hold: threading.Event | None = None
    broken: Exception | None = None
    real: Answering | None = None
    patience: float = 30.0
    quick: float = 30.0
    presence: DiscordPresence = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.presence = DiscordPresence(
            self.fake.token,
            self.db,
            self.rules,
            converse=self.converse,
            answer=self.answer,
            clock=lambda: self.at,
            poke=self.poke,
            pause=lambda _: 0.0,
            identify_pause=0.0,
            ready_timeout=0.05,
            patience=self.patience,
            quick=self.quick,
        )

    async def start(self) -> None:
        self.task = asyncio.create_task(self.presence.start())
        before = self.fake.identified
        await self.fake.until(lambda: self.fake.identified > before)

    def poke(self) -> None:
        self.poked += 1

    def converse(self, tx: Session, event: Messaged, received_at: datetime) -> None:
        said = self.answer(tx, event.by, event.text, received_at)
        outbox.put(tx, kind="answer", source=f"discord:{event.message_id}", at=received_at, to=event.by, text=said.text)

    def answer(self, tx: Session, by: AccountRef, text: str, at: datetime) -> Said:
        if self.real is not None:
            return self.real(tx, by, text, at)
        if self.hold is not None:
            assert self.hold.wait(10)
        if self.broken is not None:
            raise self.broken
        self.heard.append((str(by), text))
        return Spoken(f"You said {text}.", (Button(label="Again", text=text),))

    async def settled(self) -> None:
        """Everything that the gateway has sent so far is in the books."""
        await self.fake.fence()
        await self.presence.recorder.drain()

    async def gets(self, *events: Event) -> None:
        await self.fake.dispatch(*events)
        await self.settled()

    def flattrs(self) -> list[bool]:
        with Session(self.db.engine) as tx:
            return list(tx.exec(select(Flattr.standing).order_by(col(Flattr.id))).all())

    def author(self) -> str | None:
        """The account id of the only flattr's author."""
        with Session(self.db.engine) as tx:
            flattr = tx.exec(select(Flattr)).one()
            return tx.get_one(Account, flattr.author_id).account_id if flattr.author_id else None

    def count(self, table: type[Any]) -> int:
        with Session(self.db.engine) as tx:
            return tx.exec(select(sa.func.count()).select_from(table)).one()

    def link(self, user_id: int) -> None:
        ref = words.account(user_id)

        def work() -> None:
            with self.db.transaction() as tx:
                persons.ensure_person(tx, ref, self.at - timedelta(days=1))

        thread = threading.Thread(target=work)  # the core refuses to run on the event loop
        thread.start()
        thread.join()


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
    fake = FakeDiscord()
    await fake.start()
    monkeypatch.setattr(Route, "BASE", fake.base)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake.gateway))
    yield fake
    await fake.stop()


@pytest.fixture
def books(sqlite_db: Database) -> Database:
    return sqlite_db


@pytest.fixture
async def hub(
    request: pytest.FixtureRequest, fake: FakeDiscord, books: Database, rules: Rules, at: datetime
) -> AsyncIterator[Hub]:
    fake.guild(GUILD, "Chat SDK", {CHANNEL: "demo"}, category="Talk")
    hub = Hub(fake, books, rules, at, **getattr(request, "param", {}))
    hub.link(PATRON)
    await hub.start()
    yield hub
    await hub.presence.close()


@pytest.fixture
def added(payloads: Path) -> Event:
    return published(payloads, "gateway.MESSAGE_REACTION_ADD.json")


@pytest.fixture
def removed(payloads: Path) -> Event:
    return published(payloads, "gateway.MESSAGE_REACTION_REMOVE.derived.json")


def published(payloads: Path, name: str) -> Event:
    content = json.loads((payloads / "discord" / name).read_text())
    return content["t"], content["d"]


def reaction(
    emoji: str = THUMB,
    user: int = PATRON,
    message: int = MESSAGE,
    *,
    emoji_id: str | None = None,
    remove: bool = False,
    **more: Any,
) -> Event:
    data: dict[str, Any] = {
        "user_id": str(user),
        "channel_id": str(CHANNEL),
        "message_id": str(message),
        "guild_id": str(GUILD),
        "emoji": {"name": emoji, "id": emoji_id},
        "type": 0,
        "burst": False,
        **more,
    }
    if not remove:
        data.setdefault("message_author_id", "42")
    return f"MESSAGE_REACTION_{'REMOVE' if remove else 'ADD'}", data


def about(message: int = MESSAGE, **more: Any) -> dict[str, Any]:
    return {"message_id": str(message), "channel_id": str(CHANNEL), "guild_id": str(GUILD), **more}


class TestReactions:
    async def test_the_published_reaction_is_one_flattr_for_the_message_s_author(self, hub: Hub, added: Event) -> None:
        await hub.gets(added)
        await hub.gets(added)
        assert hub.flattrs() == [True]
        with Session(hub.db.engine) as tx:
            flattr = tx.exec(select(Flattr)).one()
            author, thing = tx.get_one(Account, flattr.author_id), tx.get_one(Thing, flattr.thing_id)
        assert author.account_id == "1457469483726668048"
        assert thing.url == f"https://discord.com/channels/{GUILD}/{CHANNEL}/{MESSAGE}"

    async def test_the_published_removal_withdraws_it_and_another_reaction_revives_it(
        self, hub: Hub, added: Event, removed: Event
    ) -> None:
        await hub.gets(added, removed)
        assert hub.flattrs() == [False]
        await hub.gets(added)
        assert hub.flattrs() == [True]

    async def test_the_title_and_tags_are_the_names_around_the_message(self, hub: Hub, added: Event) -> None:
        events: list[Any] = []
        take = hub.presence.recorder.take
        hub.presence.recorder.take = lambda event, at=None: events.append(event) or take(event, at)  # type: ignore[method-assign, func-returns-value]
        await hub.gets(added)
        assert events[0].thing.title == "#demo in Chat SDK"
        assert events[0].thing.tags == ("demo", "Talk", "Chat SDK")
        assert events[0].by.handle == "testuser2384"

    async def test_what_people_do_who_are_not_members_leaves_no_row(self, hub: Hub) -> None:
        await hub.gets(reaction(user=5), reaction(user=5, remove=True))
        assert [hub.count(table) for table in (Like, Flattr, Thing)] == [0, 0, 0]

    async def test_an_emoji_off_the_list_does_not_count(self, hub: Hub) -> None:
        await hub.gets(reaction("🤔"), reaction("👎"), reaction("yay", emoji_id="77"))
        assert hub.flattrs() == []

    async def test_a_server_s_own_list_counts_and_the_default_one_no_longer(self, hub: Hub) -> None:
        await hub.gets(command("flattr-server", {"emoji": "🤔 <:yay:77>"}, guild_id=GUILD))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert "🤔 <:emoji:77>" in hub.fake.answers[0]["data"]["content"]
        await hub.gets(reaction(THUMB))
        assert hub.flattrs() == []
        await hub.gets(reaction("🤔"), reaction("yay", message=8, emoji_id="77"))
        assert hub.flattrs() == [True, True]

    async def test_a_server_that_is_switched_off_counts_nothing(self, hub: Hub) -> None:
        await hub.gets(command("flattr-server", {"counting": False}, guild_id=GUILD))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        await hub.gets(reaction())
        assert hub.flattrs() == []

    async def test_a_moderator_who_clears_all_withdraws_everybody_s(self, hub: Hub) -> None:
        hub.link(7)
        await hub.gets(reaction(), reaction(HEART, user=7), ("MESSAGE_REACTION_REMOVE_ALL", about()))
        assert hub.flattrs() == [False, False]

    async def test_a_moderator_who_clears_one_emoji_leaves_the_others(self, hub: Hub) -> None:
        hub.link(7)
        cleared = ("MESSAGE_REACTION_REMOVE_EMOJI", about(emoji={"name": THUMB, "id": None}))
        await hub.gets(reaction(), reaction(HEART, user=7), cleared)
        assert hub.flattrs() == [False, True]

    async def test_a_second_emoji_keeps_the_flattr_when_the_first_is_taken_back(self, hub: Hub) -> None:
        await hub.gets(reaction("👍🏿"), reaction("👍🏻"), reaction("👍🏿", remove=True))
        assert hub.flattrs() == [True]
        await hub.gets(reaction("👍🏻", remove=True))
        assert hub.flattrs() == [False]

    async def test_a_deleted_message_keeps_what_it_earned(self, hub: Hub) -> None:
        deleted = {"id": str(MESSAGE), "channel_id": str(CHANNEL), "guild_id": str(GUILD)}
        bulk = {"ids": ["8"], "channel_id": str(CHANNEL), "guild_id": str(GUILD)}
        await hub.gets(reaction(), reaction(message=8))
        await hub.gets(("MESSAGE_DELETE", deleted), ("MESSAGE_DELETE_BULK", bulk))
        assert hub.flattrs() == [True, True]
        with Session(hub.db.engine) as tx:
            assert all(thing.gone_at is not None for thing in tx.exec(select(Thing)).all())

    async def test_a_webhook_s_post_has_a_flattr_of_unknown_author(self, hub: Hub) -> None:
        name, data = reaction()
        del data["message_author_id"]
        await hub.gets((name, data))
        with Session(hub.db.engine) as tx:
            assert tx.exec(select(Flattr)).one().author_id is None

    async def test_no_privileged_intent_is_asked_for(self, hub: Hub) -> None:
        [session] = hub.fake.sessions.values()
        assert session.intents == INTENTS.value == 1 | 1 << 9 | 1 << 10 | 1 << 12


class TestTheConnection:
    async def test_what_happened_while_it_was_dropped_arrives_once(
        self, hub: Hub, added: Event, removed: Event
    ) -> None:
        await hub.gets(added)
        await hub.fake.drop(removed, reaction(HEART, message=8), reaction(message=9))
        await hub.fake.until(lambda: hub.fake.resumed == 1)
        await hub.settled()
        assert hub.flattrs() == [False, True, True]
        assert hub.fake.identified == 1

    async def test_a_resumed_connection_asks_nobody_again(self, hub: Hub, added: Event) -> None:
        await hub.gets(added)
        await hub.fake.drop()
        await hub.fake.until(lambda: hub.fake.resumed == 1)
        await hub.settled()
        assert not [path for method, path in hub.fake.requests if "/reactions/" in path]

    async def test_an_invalid_session_begins_anew_and_goes_on(self, hub: Hub, added: Event) -> None:
        await hub.fake.invalidate()
        await hub.fake.until(lambda: hub.fake.identified == 2)
        await hub.gets(added)
        assert hub.flattrs() == [True]

    async def test_an_event_that_discord_py_cannot_read_does_not_end_it(self, hub: Hub, added: Event) -> None:
        await hub.fake.dispatch(("MESSAGE_REACTION_ADD", {"user_id": "not a number"}))
        await hub.fake.until(lambda: hub.fake.identified == 2)
        await hub.gets(added)
        assert hub.flattrs() == [True]

    async def test_a_wrong_token_is_refused_with_the_remedy(
        self, fake: FakeDiscord, sqlite_db: Database, rules: Rules, at: datetime
    ) -> None:
        hub = Hub(fake, sqlite_db, rules, at)
        fake.token = "another"
        with pytest.raises(DiscordRefused, match=r"connectors\.discord\.token"):
            await hub.presence.start()

    async def test_what_was_heard_is_in_the_books_when_the_hub_leaves(self, hub: Hub) -> None:
        await hub.fake.dispatch(*(reaction(message=100 + each) for each in range(50)))
        await hub.fake.fence()
        await hub.presence.close()
        assert hub.flattrs() == [True] * 50
        assert not hub.presence.connected

    async def test_commands_are_registered_once_and_again_only_when_they_changed(self, hub: Hub) -> None:
        assert hub.fake.registrations == 1
        await hub.presence.close()
        again = Hub(hub.fake, hub.db, hub.rules, hub.at)
        await again.start()
        await again.presence.close()
        assert hub.fake.registrations == 1
        hub.fake.commands[0]["description"] += "?"
        changed = Hub(hub.fake, hub.db, hub.rules, hub.at)
        await changed.start()
        await changed.presence.close()
        assert hub.fake.registrations == 2

    async def test_commands_work_for_servers_and_for_people_and_the_admins_one_for_admins(self, hub: Hub) -> None:
        by_name = {each["name"]: each for each in hub.fake.commands}
        assert by_name["link"]["contexts"] == [0, 1, 2]
        assert by_name["link"]["integration_types"] == [0, 1]
        assert by_name["Flattr"]["type"] == 3
        assert by_name["flattr-server"]["contexts"] == [0]
        assert by_name["flattr-server"]["default_member_permissions"] == str(1 << 5)
        assert fingerprint(hub.fake.commands) != fingerprint(hub.fake.commands[1:])


class TestAfterAGap:
    """A fresh session may have missed removals, so Discord is asked about the likes that stand."""

    @pytest.fixture
    def books(self, db: Database) -> Database:
        return db

    async def again(self, hub: Hub) -> None:
        identified, runs = hub.fake.identified, hub.presence.recheck.runs
        await hub.fake.invalidate()
        await hub.fake.until(lambda: hub.fake.identified > identified)
        await hub.fake.fence()
        await hub.presence.recheck.settled()
        assert hub.presence.recheck.runs > runs
        await hub.presence.recorder.drain()

    async def test_likes_taken_back_meanwhile_are_withdrawn_and_the_others_stand(self, hub: Hub) -> None:
        hub.link(7)
        hub.link(8)
        await hub.gets(*(reaction(HEART, user=user) for user in (PATRON, 7, 8)))
        hub.fake.post(MESSAGE, CHANNEL, 42)
        hub.fake.react(MESSAGE, HEART, 8, *range(10_000, 10_130))
        hub.fake.react(MESSAGE, HEART, 7, burst=True)
        hub.fake.react(MESSAGE, THUMB, PATRON)
        await self.again(hub)
        assert hub.flattrs() == [False, True, True]

    async def test_a_reaction_that_nobody_has_any_more_is_taken_back(self, hub: Hub) -> None:
        await hub.gets(reaction("flattr", emoji_id="77"), reaction(message=8))
        hub.fake.post(MESSAGE, CHANNEL, 42)
        hub.fake.post(8, CHANNEL, 42)
        hub.fake.react(8, THUMB, PATRON)
        await self.again(hub)
        assert hub.flattrs() == [False, True]

    @pytest.mark.parametrize("fault", ["403:50001", "404:10004"])
    async def test_a_message_that_is_not_ours_to_see_proves_nothing(self, hub: Hub, fault: str) -> None:
        await hub.gets(reaction())
        hub.fake.fault("member", fault)
        await self.again(hub)
        assert hub.flattrs() == [True]

    async def test_a_deleted_message_is_gone_and_no_unlike(self, hub: Hub) -> None:
        await hub.gets(reaction())
        await self.again(hub)
        assert hub.flattrs() == [True]
        with Session(hub.db.engine) as tx:
            assert tx.exec(select(Thing)).one().gone_at is not None

    @pytest.mark.parametrize("what", ["member", "reactions"])
    async def test_failed_and_rate_limited_answers_are_asked_for_again(self, hub: Hub, what: str) -> None:
        await hub.gets(reaction(), reaction(message=8))
        for message in (MESSAGE, 8):
            hub.fake.post(message, CHANNEL, 42)
            hub.fake.react(message, THUMB, 99)
        hub.fake.react(8, THUMB, PATRON)
        hub.fake.fault(what, "503", "429", "lost", "429-long", "ok", "503")
        await self.again(hub)
        assert hub.flattrs() == [False, True]

    async def test_a_listing_that_is_not_complete_proves_nothing(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await hub.gets(reaction())
        hub.fake.post(MESSAGE, CHANNEL, 42)
        hub.fake.react(MESSAGE, THUMB, PATRON, 99)

        async def users(*_: object, **__: object) -> AsyncIterator[discord.Object]:
            yield discord.Object(99)

        monkeypatch.setattr(discord.Reaction, "users", users)
        await self.again(hub)
        assert hub.flattrs() == [True]

    async def test_many_that_vanish_at_once_are_looked_at_twice(self, hub: Hub) -> None:
        messages = range(100, 130)
        await hub.gets(*(reaction(message=each) for each in messages))
        for each in messages:
            hub.fake.post(each, CHANNEL, 42)
        await self.again(hub)
        looks = [path for _, path in hub.fake.requests if path.endswith("/messages/100")]
        assert len(looks) == 2
        assert hub.flattrs() == [False] * 30

    async def test_likes_of_months_that_are_closed_are_left_alone(self, hub: Hub) -> None:
        await hub.gets(reaction())
        with Session(hub.db.engine) as tx:
            tx.exec(sa.update(Month).values(stage="closed"))
            tx.commit()
        await self.again(hub)
        assert not [path for _, path in hub.fake.requests if "/messages/" in path]

    async def test_the_author_of_a_message_flattred_by_its_address_is_asked_for(self, hub: Hub) -> None:
        url = f"https://discord.com/channels/{GUILD}/{CHANNEL}/8"
        hub.fake.post(8, CHANNEL, 42)
        thing = words.thing(message_id=8, channel_id=CHANNEL, guild_id=GUILD)
        like = Liked(by=words.account(PATRON), thing=thing, author=None)
        hub.presence.recorder.take(like)
        await hub.gets(direct_message(1, PATRON, f"flattr {url}"))
        await hub.presence.recheck.settled()
        await hub.presence.recorder.drain()
        assert hub.author() == "42"


class TestConversation:
    async def test_a_direct_message_is_heard_once_and_its_answer_waits_in_the_outbox(self, hub: Hub) -> None:
        await hub.gets(direct_message(1, PATRON, "status"), direct_message(1, PATRON, "status"))
        with Session(hub.db.engine) as tx:
            [note] = tx.exec(select(OutboxNote)).all()
        assert (note.kind, note.source, note.text) == ("answer", "discord:1", "You said status.")
        assert (note.platform, note.account_id) == ("discord", str(PATRON))
        assert hub.poked >= 1

    async def test_messages_in_servers_and_of_bots_are_not_for_us(self, hub: Hub, payloads: Path) -> None:
        name, data = direct_message(2, 6, "hello")
        data["author"]["bot"] = True
        await hub.gets(published(payloads, "gateway.MESSAGE_CREATE.guild_mention.json"), (name, data))
        assert hub.heard == []

    async def test_the_answer_arrives_in_the_direct_message_with_its_buttons(self, hub: Hub) -> None:
        buttons = [
            Button(label="Yes", text="yes"),
            Button(label="Yes", text="yes"),
            Button(label="Much too long for a button", text="x" * 94),
        ]
        await hub.presence.say(str(PATRON), "Link? @everyone", key="1", buttons=buttons)
        [message] = hub.fake.said
        assert message["channel_id"] == str(dm_of(PATRON))
        assert message["content"] == "Link? @everyone"
        [row] = message["components"]
        assert [each["custom_id"] for each in row["components"]] == ["flattr:yes"]

    async def test_a_pressed_button_is_as_if_its_text_was_sent_even_after_a_restart(self, hub: Hub) -> None:
        await hub.presence.say(str(PATRON), "Sure?", key="1", buttons=[Button(label="Yes", text="yes now")])
        [message] = hub.fake.said
        await hub.presence.close()
        later = Hub(hub.fake, hub.db, hub.rules, hub.at)
        await later.start()
        custom_id = message["components"][0]["components"][0]["custom_id"]
        await later.gets(interaction(3, PATRON, {"custom_id": custom_id, "component_type": 2}, message=message))
        await later.fake.until(lambda: len(later.fake.answers) == 1)
        await later.presence.close()
        assert later.heard == [(f"discord:{PATRON}", "yes now")]
        assert later.fake.answers[0]["data"]["content"] == "You said yes now."
        assert not later.fake.answers[0]["data"].get("flags", 0) & 64

    async def test_the_published_click_on_somebody_else_s_button_is_left_alone(
        self, hub: Hub, payloads: Path, added: Event
    ) -> None:
        _, data = published_plain(payloads, "interaction.dm_button_click.json")
        await hub.gets(("INTERACTION_CREATE", data), added)
        assert (hub.heard, hub.fake.answers) == ([], [])
        assert hub.flattrs() == [True]

    @pytest.mark.parametrize(
        ("name", "options", "said"),
        [
            ("status", {}, "status"),
            ("link", {}, "link"),
            ("link", {"what": "BCDF GHJK"}, "link BCDF GHJK"),
            ("link", {"what": "flickr"}, "link flickr"),
            ("budget", {"amount": "35", "now": True}, "budget 35 now"),
            ("budget", {"now": True}, "budget"),
            ("flattr", {"url": "https://example.org"}, "flattr https://example.org"),
            ("remove", {"number": 3}, "remove 3"),
            ("hub", {"words": " pause github "}, "pause github"),
        ],
    )
    async def test_a_command_is_a_message_whose_answer_only_the_asker_sees(
        self, hub: Hub, name: str, options: dict[str, Any], said: str
    ) -> None:
        await hub.gets(command(name, options))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        [answer] = hub.fake.answers
        assert hub.heard == [(f"discord:{PATRON}", said)]
        assert (answer["type"], answer["data"]["flags"] & 64) == (4, 64)
        assert answer["data"]["content"] == f"You said {said}."

    @pytest.mark.parametrize("hub", [{"quick": 0.05}], indirect=True)
    async def test_slow_work_is_announced_first(self, hub: Hub) -> None:
        hub.hold = threading.Event()
        await hub.gets(command("status", {}))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert hub.fake.answers[0]["type"] == 5
        hub.hold.set()
        await hub.fake.until(lambda: len(hub.fake.answers) == 2)
        assert hub.fake.answers[1]["data"]["content"] == "You said status."

    async def test_a_long_answer_comes_in_pieces(self, hub: Hub) -> None:
        words_said = "word " * 700
        await hub.gets(command("hub", {"words": words_said}))
        await hub.fake.until(lambda: len(hub.fake.answers) == 2)
        texts = [each["data"]["content"] for each in hub.fake.answers]
        assert " ".join(texts) == f"You said {words_said.strip()}."
        assert all(len(text) <= 2000 for text in texts)

    async def test_books_that_are_away_are_said_to_be_away(self, hub: Hub) -> None:
        hub.broken = sa.exc.OperationalError("select", {}, Exception("gone"))
        await hub.gets(command("status", {}))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert "nothing was changed" in hub.fake.answers[0]["data"]["content"]

    async def test_the_menu_flattrs_a_message_anywhere_for_its_author(self, hub: Hub) -> None:
        message = hub.fake.post(8, CHANNEL, 42)
        await hub.gets(menu(message, guild_id=55))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert hub.fake.answers[0]["data"]["content"].startswith("Flattred.")
        with Session(hub.db.engine) as tx:
            flattr = tx.exec(select(Flattr)).one()
            author, thing = tx.get_one(Account, flattr.author_id), tx.get_one(Thing, flattr.thing_id)
        assert (author.account_id, thing.url) == ("42", f"https://discord.com/channels/55/{CHANNEL}/8")

    async def test_the_menu_knows_no_author_of_what_a_webhook_posted(self, hub: Hub) -> None:
        await hub.gets(menu(hub.fake.post(8, CHANNEL, 42, webhook=True)))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert hub.flattrs() == [True]
        assert hub.author() is None

    async def test_the_menu_tells_a_stranger_how_to_begin_and_keeps_nothing(self, hub: Hub) -> None:
        await hub.gets(menu(hub.fake.post(8, CHANNEL, 42), user=5))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert "not linked" in hub.fake.answers[0]["data"]["content"]
        assert hub.count(Thing) == 0

    async def test_the_menu_refuses_own_messages(self, hub: Hub) -> None:
        await hub.gets(menu(hub.fake.post(8, CHANNEL, PATRON)))
        await hub.fake.until(lambda: len(hub.fake.answers) == 1)
        assert "your own" in hub.fake.answers[0]["data"]["content"]
        assert hub.flattrs() == []

    async def test_the_real_conversation_makes_a_stranger_a_patron_who_flattrs(
        self, fake: FakeDiscord, sqlite_db: Database, rules: Rules, at: datetime
    ) -> None:
        talk = Talk(
            rules=rules,
            gateway=SandboxGateway(sqlite_db),
            platforms={"discord": PlatformFacts(title="Discord", speaks=True, linking=False)},
            resolve=words.connector.resolve,
        )
        hub = Hub(fake, sqlite_db, rules, at)
        hub.real = lambda tx, by, text, at: dialogue.answer(tx, talk, by, text, at)
        await hub.start()
        try:
            await hub.gets(command("budget", {"amount": "35", "now": True}))
            await fake.until(lambda: len(fake.answers) == 1)
            assert "35.00" in fake.answers[0]["data"]["content"]
            await hub.gets(menu(fake.post(8, CHANNEL, 42)))
            await fake.until(lambda: len(fake.answers) == 2)
            assert hub.flattrs() == [True]
            await hub.gets(command("flattr", {"url": f"https://discord.com/channels/{GUILD}/{CHANNEL}/9"}))
            await fake.until(lambda: len(fake.answers) == 3)
            await hub.gets(command("list", {}))
            await fake.until(lambda: len(fake.answers) == 4)
            assert "2. discord.com/channels/" in fake.answers[3]["data"]["content"]
            assert hub.flattrs() == [True, True]
        finally:
            await hub.presence.close()


class TestSaying:
    async def test_it_is_a_mouth(self, hub: Hub) -> None:
        assert isinstance(hub.presence, Mouth)
        assert (hub.presence.platform, hub.presence.limit, hub.presence.remembers_keys) == ("discord", 2000, True)

    async def test_a_picture_is_attached_with_its_words_for_who_cannot_see_it(self, hub: Hub) -> None:
        buttons = [Button(label="Status", text="status")]
        await hub.presence.say(str(PATRON), "Your statement", key="1", buttons=buttons, picture=PICTURE)
        (said,) = hub.fake.said
        (attached,) = said["attachments"]
        assert (said["content"], len(said["components"])) == ("Your statement", 1)
        assert (attached["filename"], attached["description"]) == ("statement-2026-11.png", "Where it went")
        assert hub.fake.files[int(said["id"])] == [PICTURE.content]

    async def test_a_picture_that_discord_does_not_take_costs_no_words(self, hub: Hub) -> None:
        hub.fake.refuses_files = True
        await hub.presence.say(str(PATRON), "Your statement", key="1", picture=PICTURE)
        (said,) = hub.fake.said
        assert (said["content"], said["attachments"]) == ("Your statement", [])

    async def test_a_picture_whose_answer_was_lost_is_not_sent_again(self, hub: Hub) -> None:
        hub.fake.fault("message", "lost")
        with pytest.raises(Unheard):
            await hub.presence.say(str(PATRON), "Your statement", key="1", picture=PICTURE)
        await hub.presence.say(str(PATRON), "Your statement", key="1", picture=PICTURE)
        assert [each["content"] for each in hub.fake.said] == ["Your statement"]

    async def test_who_takes_no_messages_is_asked_once_with_a_picture_too(self, hub: Hub) -> None:
        hub.fake.closed_to.add(5)
        with pytest.raises(Unheard) as closed:
            await hub.presence.say("5", "Your statement", key="1", picture=PICTURE)
        assert closed.value.final
        assert len([path for _, path in hub.fake.requests if path.endswith("/messages")]) == 1

    async def test_a_lost_answer_does_not_repeat_the_message(self, hub: Hub) -> None:
        hub.fake.fault("message", "lost")
        with pytest.raises(Unheard) as lost:
            await hub.presence.say(str(PATRON), "Hello", key="1")
        assert not lost.value.final
        await hub.presence.say(str(PATRON), "Hello", key="1")
        assert [each["content"] for each in hub.fake.said] == ["Hello"]

    async def test_nor_does_a_hub_that_was_started_again_meanwhile(self, hub: Hub) -> None:
        hub.fake.fault("message", "lost")
        with pytest.raises(Unheard):
            await hub.presence.say(str(PATRON), "Hello", key="1")
        await hub.presence.close()
        later = Hub(hub.fake, hub.db, hub.rules, hub.at)
        await later.start()
        await later.presence.say(str(PATRON), "Hello", key="1", buttons=[Button(label="Yes", text="yes")])
        await later.presence.close()
        assert [each["content"] for each in hub.fake.said] == ["Hello"]

    async def test_nor_does_it_when_discord_has_forgotten_the_nonce(self, hub: Hub) -> None:
        hub.fake.fault("message", "ok", "lost")
        await hub.presence.say(str(PATRON), "Hello", key="1")
        with pytest.raises(Unheard):
            await hub.presence.say(str(PATRON), "Hello", key="2")
        hub.fake.forget_nonces()
        await hub.presence.say(str(PATRON), "Hello", key="2")
        assert [each["content"] for each in hub.fake.said] == ["Hello", "Hello"]

    async def test_a_message_that_never_went_out_is_sent_by_the_next_try(self, hub: Hub) -> None:
        await hub.presence.say(str(PATRON), "Hello", key="1")
        hub.fake.fault("message", "503")
        with pytest.raises(Unheard) as failed:
            await hub.presence.say(str(PATRON), "Hello", key="2")
        assert not failed.value.final
        await hub.presence.say(str(PATRON), "Hello", key="2")
        assert len(hub.fake.said) == 2

    async def test_a_rate_limit_is_waited_for_and_nothing_is_said_twice(self, hub: Hub) -> None:
        hub.fake.fault("message", "429", "429")
        await hub.presence.say(str(PATRON), "Hello", key="1")
        assert len(hub.fake.said) == 1

    async def test_a_long_rate_limit_is_handed_on(self, hub: Hub) -> None:
        hub.fake.fault("message", "429-long")
        with pytest.raises(Unheard) as limited:
            await hub.presence.say(str(PATRON), "Hello", key="1")
        assert (limited.value.final, limited.value.retry_after) == (False, 3600.0)

    @pytest.mark.parametrize("hub", [{"patience": 0.1}], indirect=True)
    async def test_a_try_without_an_answer_yet_is_joined_by_the_next_one(self, hub: Hub) -> None:
        hub.fake.fault("message", "500")  # discord.py waits a second and tries again by itself
        with pytest.raises(Unheard, match="not answered yet"):
            await hub.presence.say(str(PATRON), "Hello", key="1")
        await hub.fake.until(lambda: len(hub.fake.said) == 1)
        await hub.presence.say(str(PATRON), "Hello", key="1")
        tries = [path for method, path in hub.fake.requests if path.endswith("/messages")]
        assert (len(hub.fake.said), len(tries)) == (1, 2)

    async def test_an_account_that_takes_no_messages_is_final(self, hub: Hub) -> None:
        hub.fake.closed_to.add(5)
        with pytest.raises(Unheard, match="takes no direct messages") as closed:
            await hub.presence.say("5", "Hello", key="1")
        assert closed.value.final

    @pytest.mark.parametrize(
        ("fault", "final", "reason"),
        [
            ("403:50278", True, "shares no server"),
            ("400:40003", False, "too fast"),
            ("404:10013", True, "does not know this account"),
            ("400:50035", True, "50035"),
            ("401:0", False, "401"),
        ],
    )
    async def test_a_channel_that_cannot_be_opened(self, hub: Hub, fault: str, final: bool, reason: str) -> None:
        hub.fake.fault("dm", fault)
        with pytest.raises(Unheard, match=reason) as refused:
            await hub.presence.say("5", "Hello", key="1")
        assert refused.value.final is final

    async def test_a_name_is_not_an_account(self, hub: Hub) -> None:
        with pytest.raises(Unheard) as wrong:
            await hub.presence.say("somebody", "Hello", key="1")
        assert wrong.value.final

    async def test_before_the_connection_stands_it_is_to_be_tried_again(
        self, fake: FakeDiscord, sqlite_db: Database, rules: Rules, at: datetime
    ) -> None:
        with pytest.raises(Unheard) as early:
            await Hub(fake, sqlite_db, rules, at).presence.say("5", "Hello", key="1")
        assert not early.value.final


class TestTheQueue:
    """What waits in memory while the database is away."""

    def recorder(self, db: Database, rules: Rules, at: datetime, **more: Any) -> Recorder:
        return Recorder(
            db=db,
            rules=rules,
            converse=more.pop("converse", lambda *_: None),
            clock=lambda: at,
            on_messages=lambda: None,
            pause=lambda _: 0.0,
            **more,
        )

    async def test_events_wait_in_order_until_the_database_is_back(
        self, sqlite_db: Database, rules: Rules, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []
        away = 3
        whole = sqlite_db.transaction

        def transaction() -> Any:
            nonlocal away
            if away:
                away -= 1
                raise sa.exc.OperationalError("begin", {}, Exception("database is locked"))
            return whole()

        monkeypatch.setattr(sqlite_db, "transaction", transaction)
        recorder = self.recorder(sqlite_db, rules, at, converse=lambda tx, event, at: seen.append(event.text))
        for each in range(20):
            recorder.take(Messaged(by=words.account(1), text=str(each), message_id=str(each)))
        assert recorder.waiting == 20
        await finish(recorder)
        assert seen == [str(each) for each in range(20)]
        assert (away, recorder.waiting, recorder.dropped) == (0, 0, 0)

    async def test_an_event_that_cannot_be_recorded_is_left_out_and_the_rest_is_not(
        self, sqlite_db: Database, rules: Rules, at: datetime, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[str] = []

        def converse(tx: Session, event: Messaged, at: datetime) -> None:
            if event.text == "a secret":
                raise ValueError(event.text)
            seen.append(event.text)

        recorder = self.recorder(sqlite_db, rules, at, converse=converse)
        for text in ("one", "a secret", "two"):
            recorder.take(Messaged(by=words.account(1), text=text, message_id=text))
        await finish(recorder)
        assert seen[-2:] == ["one", "two"]
        assert "ValueError" in caplog.text
        assert "a secret" not in caplog.text

    async def test_what_finds_no_room_is_counted_and_said(
        self, sqlite_db: Database, rules: Rules, at: datetime, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = self.recorder(sqlite_db, rules, at, room=2)
        gone = Gone(thing=words.thing(message_id=1, channel_id=1, guild_id=1))
        assert [recorder.take(gone) for _ in range(5)] == [True, True, False, False, False]
        assert recorder.dropped == 3
        assert "2 events lost" in caplog.text

    async def test_times_of_receipt_grow_even_if_the_clock_does_not(
        self, sqlite_db: Database, rules: Rules, at: datetime
    ) -> None:
        recorder = self.recorder(sqlite_db, rules, at)
        times = [recorder.now() for _ in range(3)]
        assert times[0] == at
        assert times == sorted(set(times))


class TestServers:
    def test_what_an_admin_gives_is_kept_and_said(self, sqlite_db: Database) -> None:
        with sqlite_db.transaction() as tx:
            assert "the hub's own list" in set_room(tx, "1", emoji=None, counting=None)
            assert tx.get(Room, ("discord", "1")) is None
            assert "⭐ 🎉" in set_room(tx, "1", emoji="⭐🎉", counting=None)
            assert "do not count" in set_room(tx, "1", emoji=None, counting=False)
            assert "⭐ 🎉" in set_room(tx, "1", emoji=None, counting=True)
            assert "the hub's own list" in set_room(tx, "1", emoji=" Default", counting=None)

    @pytest.mark.parametrize("wrong", ["👍 thumbs", "👎", "", "💩🎉"])
    def test_what_is_no_list_changes_nothing(self, sqlite_db: Database, wrong: str) -> None:
        with sqlite_db.transaction() as tx:
            set_room(tx, "1", emoji="⭐", counting=None)
            set_room(tx, "1", emoji=wrong, counting=None)
            assert tx.get_one(Room, ("discord", "1")).emoji == "⭐"


async def finish(recorder: Recorder) -> None:
    task = asyncio.create_task(recorder.run())
    await asyncio.wait_for(recorder.drain(), 10)
    task.cancel()


def command(name: str, options: dict[str, Any], user: int = PATRON, **more: Any) -> Event:
    kinds: dict[type, int] = {str: 3, int: 4, bool: 5}
    given = [{"name": key, "type": kinds[type(value)], "value": value} for key, value in options.items()]
    return interaction(2, user, {"id": "1", "type": 1, "name": name, "options": given}, **more)


def menu(message: dict[str, Any], user: int = PATRON, **more: Any) -> Event:
    resolved = {"messages": {message["id"]: message}}
    data = {"id": "1", "type": 3, "name": "Flattr", "target_id": message["id"], "resolved": resolved}
    return interaction(2, user, data, **more)


def published_plain(payloads: Path, name: str) -> Event:
    """A published interaction, with numbers in the places that its publisher blackened."""
    text = (payloads / "discord" / name).read_text()
    for blackened, number in (("DM_CHANNEL_123", "123"), ("MSG789", "789"), ("MSG_DM_123", "124")):
        text = text.replace(blackened, number)
    return "INTERACTION_CREATE", json.loads(text.replace("INTERACTION789", "790"))
