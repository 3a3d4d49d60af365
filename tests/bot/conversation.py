"""A conversation for tests: people who talk to the bot on two networks, on a real database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlmodel import col, select

from bot import announcements, dialogue
from bot.talk import PlatformFacts, Reply, Resolved, Talk
from connectors import registry
from core.events import AccountRef, ThingRef
from core.mail import outbox
from core.mail.tables import OutboxNote
from core.people.tables import Person
from tests.scene import Scene

PLATFORMS = {
    "pond": PlatformFacts(title="Pond", speaks=True, linking=False),
    "lake": PlatformFacts(title="Lake", speaks=True, linking=False),
    "github": PlatformFacts(title="GitHub", speaks=False, linking=False),
    "flickr": PlatformFacts(title="Flickr", speaks=False, linking=True),
}


def resolve(url: str) -> Resolved | None:
    """https://pond.example/AUTHOR/THING tells its author; every other public address is a page."""
    if match := re.fullmatch(r"https://pond\.example/(\w+)/(\w+)", url):
        author = AccountRef(platform="pond", account_id=f"id-{match[1]}", handle=match[1])
        return ThingRef(platform="pond", native_id=match[0], url=url, title=match[2].capitalize()), author
    return registry.resolve({}, url)


@dataclass
class Conversation:
    scene: Scene
    talk: Talk = field(init=False)

    def __post_init__(self) -> None:
        self.talk = Talk(rules=self.scene.rules, gateway=self.scene.gateway, platforms=PLATFORMS, resolve=resolve)

    def reply(self, name: str, text: str, platform: str = "pond") -> Reply:
        ref = AccountRef(platform=platform, account_id=f"id-{name}", handle=name)
        with self.scene.db.transaction() as tx:
            return dialogue.answer(tx, self.talk, ref, text, self.scene.at)

    def say(self, name: str, text: str, platform: str = "pond") -> str:
        return self.reply(name, text, platform).text

    def code(self, name: str, platform: str = "pond") -> str:
        return self.say(name, "link", platform).split()[2]

    def link(self, name: str, other: str, platform: str = "lake") -> str:
        self.say(other, self.code(name), platform)
        return self.say(name, "yes")

    def songs(self, name: str, number: int, author: str = "carol") -> None:
        for each in range(1, number + 1):
            self.say(name, f"https://pond.example/{author}/song{each}")

    def notes(self, kind: str) -> list[Reply]:
        with self.scene.db.transaction() as tx:
            rows = tx.exec(select(OutboxNote).where(OutboxNote.kind == kind).order_by(col(OutboxNote.id))).all()
            return [announcements.render(tx, self.talk, row) for row in rows]

    def note(self, **values: str) -> Reply:
        with self.scene.db.transaction() as tx:
            outbox.put(tx, at=self.scene.at, person_id=1, **values)
            row = tx.exec(select(OutboxNote).where(OutboxNote.source == values["source"])).one()
            return announcements.render(tx, self.talk, row)

    def people(self) -> int:
        with self.scene.db.reading() as tx:
            return len(tx.exec(select(Person.id)).all())
