"""A conversation on a hub whose processor is in another house."""

from __future__ import annotations

import re
from dataclasses import replace

from core.access import visits
from core.access.tables import Visit
from core.people import cards, persons
from core.recipients import onboarding
from tests.bot.conversation import Conversation
from tests.platforms.hosted_processor import VISA, HostedProcessor
from tests.scene import Scene

_ADDRESS = re.compile(r"^https://hub\.example/(card|pay|payouts)/([A-Za-z0-9_-]{43})$", re.MULTILINE)


class PayingTalk(Conversation):
    """With what the processor did, and the addresses that were handed out."""

    def __init__(self, scene: Scene) -> None:
        self.house = HostedProcessor(scene.db)
        scene.gateway = self.house
        super().__init__(scene)
        self.talk = replace(self.talk, gateway=self.house, address="https://hub.example")

    def addresses(self, answer: str) -> dict[str, str]:
        """The token at each door."""
        return {found[1]: found[2] for found in _ADDRESS.finditer(answer)}

    def visit(self, token: str) -> Visit | None:
        with self.scene.db.reading() as tx:
            return visits.look(tx, token, self.scene.at)

    def person(self, name: str) -> int:
        with self.scene.db.reading() as tx:
            person = persons.person_of(tx, self.scene.account(name))
            assert person is not None
            return persons.key(person)

    def enters(self, name: str, card=VISA, failure: str | None = None) -> None:
        state = self.house.setups[self.house.entered(self.person(name), card, failure)]
        with self.scene.db.transaction() as tx:
            cards.learn_setup(tx, self.scene.rules, state, self.scene.at)

    def told_processor(self, name: str, **how) -> None:
        """Somebody has told the processor what it wants to know, or a part of it."""
        with self.scene.db.transaction() as tx:
            person = onboarding.ensure(tx, self.person(name), self.scene.at).person_id
        account = self.house.told(person, **how)
        with self.scene.db.transaction() as tx:
            onboarding.keep_account(tx, person, account, self.scene.at)
            onboarding.learn(tx, self.scene.rules, self.house.accounts[account], self.scene.at)

    def joined(self, name: str) -> None:
        self.say(name, "claim")
        self.told_processor(name)

    def month(self, likes: int = 2) -> int:
        """alice has a budget and a card, likes what carol made, and the month is closed."""
        self.joined("carol")
        self.say("alice", "budget 10")
        self.enters("alice")
        self.songs("alice", likes)
        return self.scene.close_month()

    def statement_of(self, name: str, month: int) -> int:
        row = self.scene.statement(self.person(name), month)
        assert row.id is not None
        return row.id
