"""Plays a month and the next payout run without a person: real server, inbox, dialogue, closing, temporary database."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from config import closing, proof
from config.clock import SandboxClock, path_in
from config.compose import Hub
from config.listening import Listener, listen
from config.parts import Parts, assemble
from config.proof import Story
from config.settings import HubSection, SandboxSection, Settings
from connectors.base import Answer, Delivery
from core.people import persons
from core.periods import month_of


@dataclass(frozen=True, slots=True)
class Human:
    """Somebody, by name and by account on each of the pretend networks."""

    name: str
    square: str
    harbour: str = ""

    def on(self, platform: str) -> str:
        """Their account there."""
        return self.square if platform == "sandbox" else self.harbour


ADA = Human("Ada", "ada", "ada")
GRETA = Human("Greta", "greta", "nia")
HUGO = Human("Hugo", "hugo", "otto")
BRUNO = Human("Bruno", "bruno")
FINN = Human("Finn", "finn")
"""A creator who has not joined when the story begins."""

TEN = (
    *(("sandbox", author, 0) for author in ("bruno", "chiyo", "dario", "esi")),
    ("sandbox", "bruno", 1),
    *(("sandbox2", author, 0) for author in ("ines", "juno", "kofi", "lena")),
    ("sandbox2", "kofi", 1),
)
"""What Ada likes: platform, author, and which of their posts (0: the latest)."""


def play() -> Story:
    """The whole story, on a free port of the loopback; nothing around it is read or touched."""
    with tempfile.TemporaryDirectory(prefix="flattr-demo-") as folder:
        settings = Settings.model_construct(
            hub=HubSection(port=0, data_dir=Path(folder)), sandbox=SandboxSection(enabled="true")
        )
        listener = listen(settings)
        try:
            return asyncio.run(_Player(assemble(listener.settings, clock=_clock(Path(folder)))).play(listener))
        finally:
            listener.socket.close()


def _clock(folder: Path) -> SandboxClock:
    # Begins on the 10th at noon: no code expires and no month ends by itself while the demo runs.
    begun, started = datetime.now(UTC).replace(day=10, hour=12, minute=0, second=0), time.monotonic()
    return SandboxClock(path_in(folder), source=lambda: begun + timedelta(seconds=time.monotonic() - started))


class _Player:
    """Moves everybody's hands."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.hub = Hub(parts, pages=False)
        if self.hub.network is None:
            raise RuntimeError("the demo needs the sandbox, which its own settings switch on")
        self.network = self.hub.network
        self.story = Story(month=month_of(parts.clock()), currency=parts.rules.money.code)
        self.last: tuple[str, bytes] | None = None

    async def play(self, listener: Listener) -> Story:
        """The story in order."""
        await self.hub.start(listener)
        try:
            async with aiohttp.ClientSession(listener.settings.hub.address) as self.http:
                await self.likes()
                await self.the_month_closes_twice()
                await self.money_arrives()
            await asyncio.to_thread(self.compare)
        finally:
            await self.hub.close()
        return self.story

    async def likes(self) -> None:
        """Three patrons, each on two networks; a creator joins late."""
        await self.arrive()  # eight creators have written "claim" to the bot
        for human in (ADA, GRETA, HUGO):
            await self.link(human)
        for human, budget, card in ((ADA, 35, "4242"), (GRETA, 5, "0002"), (HUGO, 10, "0119")):
            await self.say(human, f"budget {budget} now")
            await self.say(human, f"card {card}")
        for platform, author, place in TEN:
            await self.like(ADA, platform, author, place)
        await self.like(ADA, "sandbox", "chiyo", 1)
        await self.like(ADA, "sandbox", "chiyo", 1, liked=False)
        await self.like(ADA, "sandbox2", "moss", 0)  # never joins: pending, and costs nothing
        for author in ("bruno", "esi", "dario"):
            await self.like(GRETA, "sandbox", author, 0)
        for platform, author in (("sandbox", "finn"), ("sandbox", "chiyo"), ("sandbox", "esi"), ("sandbox2", "lena")):
            await self.like(HUGO, platform, author, 0)
        await self.say(HUGO, "status")
        await self.say(FINN, "claim")  # one of Hugo's four was pending until now
        await self.say(HUGO, "status")
        await self.say(ADA, "status")
        await self.repeat_and_forge()

    async def the_month_closes_twice(self) -> None:
        """Skip to its end, through review and cards; then close it once more, by the operator's command."""
        await self.end_of_month(ADA, GRETA)
        before = await asyncio.to_thread(proof.money_rows, self.parts)
        again = await asyncio.to_thread(closing.close, self.parts, self.story.month, closing.silent, now=False)
        await self.repeat_and_forge()
        after = await asyncio.to_thread(proof.money_rows, self.parts)
        changed = [name for name in before if before[name] != after[name]]
        self.story.check("closing the month again: steps taken", (), again.steps if again else "no such month")
        self.story.check("closing the month again: tables of money that changed", [], changed)
        await self.say(ADA, "statement")

    async def money_arrives(self) -> None:
        """Money of a patron's first months waits one payout run longer, so the next month's run pays it."""
        paid = await asyncio.to_thread(proof.sent_micros, self.parts)
        self.story.check("money of first months waits in the first payout run", 0, paid)
        await self.end_of_month(BRUNO)
        await self.say(BRUNO, "earnings")

    async def end_of_month(self, *told: Human) -> None:
        """Skip to the month's end and past it; keep what the bot then says to some of them on its own."""
        already = {human: len(self.network.memory.messages("sandbox", human.square)) for human in told}
        self.story.steps += [str(step) for step in await self.hub.play_month()]
        await self.hub.settle()
        for human in told:
            for each in self.network.memory.messages("sandbox", human.square)[already[human] :]:
                self.story.talk.append((f"The bot to {human.name}", "", each.text))

    async def link(self, human: Human) -> None:
        """`link` on Square gives a code; the code from Harbour makes a question; yes on Square binds."""
        code = (await self.say(human, "link")).partition("Your code: ")[2].split(maxsplit=1)[:1]
        await self.say(human, "".join(code), platform="sandbox2")
        await self.say(human, "yes")
        both = sorted((f"sandbox:{human.square}", f"sandbox2:{human.harbour}"))
        found = await asyncio.to_thread(self.accounts, human)
        self.story.check(f"{human.name} is one person on two networks", both, found)

    def accounts(self, human: Human) -> list[str]:
        """The accounts that are theirs."""
        with self.parts.db.reading() as tx:
            found = proof.person_id(tx, "sandbox", human.square)
            return sorted(str(each) for each in persons.accounts_of(tx, found)) if found else []

    async def say(self, human: Human, text: str, *, platform: str = "sandbox") -> str:
        """Send the bot a direct message; its answer comes back through the outbox."""
        account = human.on(platform)
        already = {each.id for each in self.network.memory.messages(platform, account)}
        await asyncio.to_thread(self.network.write, platform, account, text)
        await self.arrive()
        heard = [each for each in self.network.memory.messages(platform, account) if each.id not in already]
        answers = [each.text for each in heard if each.from_bot]
        self.story.check(f'{human.name} says "{text}": answers', 1, len(answers))
        where = "Square" if platform == "sandbox" else "Harbour"
        self.story.talk.append((f"{human.name} on {where}", text, "\n".join(answers)))
        return "\n".join(answers)

    async def like(self, human: Human, platform: str, author: str, place: int, *, liked: bool = True) -> None:
        """Like or unlike one of somebody's posts."""
        me = human.on(platform)
        posts = [post for post in self.network.memory.posts(platform, me) if post.author.id == author]
        await asyncio.to_thread(self.network.like, platform, me, posts[place].id, liked=liked)
        await self.arrive()

    async def arrive(self) -> None:
        """Let the networks deliver what happened, and the hub work it off and answer."""
        if left := await self.network.send(self.deliver):
            self.story.check("deliveries that the hub did not take", 0, left)
        await self.hub.settle()

    async def deliver(self, platform: str, delivery: Delivery) -> Answer:
        """One signed delivery to the real server."""
        self.last = platform, delivery.body
        return Answer(await self.post(delivery, delivery.body))

    async def post(self, delivery: Delivery, body: bytes) -> int:
        """The status that the server answers."""
        headers = {name: values[0] for name, values in delivery.headers.items()}
        async with self.http.post(delivery.path, data=body, headers=headers) as response:
            return response.status

    async def repeat_and_forge(self) -> None:
        """Deliver the last event again, signed anew, and once more with a letter changed."""
        if self.last is None:
            return
        again = self.network.delivery(*self.last)
        self.story.check("a repeated delivery is known already", 200, await self.post(again, again.body))
        forged = again.body.replace(b'"by"', b'"By"')
        self.story.check("a forged delivery is turned away", 401, await self.post(again, forged))
        await self.hub.settle()

    def compare(self) -> None:
        """Read the books and prove them."""
        patrons = {human.name: ("sandbox", human.square) for human in (ADA, GRETA, HUGO)}
        names = {f"{each.platform}:{each.id}": each.name for each in self.network.memory.players()}
        proof.read(self.story, self.parts, patrons, names)
        proof.prove(self.story, self.parts)
