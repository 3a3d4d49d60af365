"""Delivers the outbox: every note once, through the mouth of its platform, however often it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ParamSpec

from sqlmodel import Session

from bot.letters import Letter, Said, address_of
from bot.splitting import split
from connectors.speaking import Button, Mouth, Picture, Unheard
from core.database import Busy, Database, is_away
from core.mail import outbox
from core.mail.faults import place_of
from core.mail.tables import OutboxNote

log = logging.getLogger("flattr.bot")
P = ParamSpec("P")

BATCH = 100
LOOK = 1.0
"""Seconds between two looks for notes whose time has come."""

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 6 * 3600.0
"""Seconds between two tries: doubling between these, and a random part of that (full jitter)."""

GIVE_UP = timedelta(days=3)
"""How long after the first try a note is given up."""

NO_WAY = timedelta(minutes=5)
"""How long a note waits that has no way to go at present."""

PICTURES = 3
"""Tries that go out with the note's picture; if these fail, the words go alone."""

PATIENCE = 60.0
"""Seconds that a platform has to answer; after that nobody knows whether the message arrived."""


class Sender:
    """Sends what is in the outbox; one at a time per platform, in the order in which it was put there.

    A note that may or may not have arrived (a crash, no answer) is said again only where the mouth remembers keys.
    """

    def __init__(
        self,
        db: Database,
        mouths: Mapping[str, Mouth],
        render: Callable[[Session, OutboxNote], Said],
        clock: Callable[[], datetime],
        *,
        picture: Callable[[Session, OutboxNote], Picture | None] = lambda tx, note: None,
        chance: Callable[[], float] = random.random,
        patience: float = PATIENCE,
    ) -> None:
        """``picture`` makes the one that a note names; ``chance`` gives numbers from 0 to 1, for the jitter;
        ``patience`` is in seconds.
        """
        self._db = db
        self._mouths = mouths
        self._render = render
        self._clock = clock
        self._picture = picture
        self._chance = chance
        self._patience = patience
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._recovered = False

    def poke(self) -> None:
        """Say that there is something to send; on the loop."""
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled; what is being said is finished first. Of several processes one sends."""
        async with contextlib.AsyncExitStack() as stack:
            while True:
                try:
                    await stack.enter_async_context(self._alone())
                    break
                except Busy:
                    await asyncio.sleep(LOOK)
            while True:
                self._news.clear()
                try:
                    await _finishing(asyncio.ensure_future(self.drain()), self._patience)
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("the database is away (%s); trying again", place_of(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._news.wait()

    async def drain(self) -> None:
        """Send what is due; return when nothing is (what was put off is not). Raises if the database is away."""
        async with self._turn:
            if not self._recovered:
                await asyncio.to_thread(self._recover)
                self._recovered = True
            while True:
                due = await asyncio.to_thread(self._due)
                if not due:
                    return
                # A slow platform keeps nobody else's notes waiting.
                ends = await asyncio.gather(*(self._send_all(ids) for ids in due), return_exceptions=True)
                for end in ends:
                    if isinstance(end, BaseException):
                        raise end

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        lock = self._db.exclusively("sender")
        await asyncio.to_thread(lock.__enter__)
        try:
            yield
        finally:
            await asyncio.to_thread(lock.__exit__, None, None, None)

    def _recover(self) -> None:
        remembering = [name for name, mouth in self._mouths.items() if mouth.remembers_keys]
        with self._db.transaction() as tx:
            again, given_up = outbox.recover(tx, remembering, self._clock())
        if again or given_up:
            log.warning("notes under way when the hub ended: %d go out again, %d given up", again, given_up)

    def _due(self) -> list[list[int]]:
        """The notes that are due, by the platform that they go to."""
        lanes: dict[str, list[int]] = defaultdict(list)
        with self._db.reading() as tx:
            for note_id in outbox.due(tx, self._clock(), BATCH):
                to = address_of(tx, tx.get_one(OutboxNote, note_id))
                lanes[to.platform if to else ""].append(note_id)
        return list(lanes.values())

    async def _send_all(self, note_ids: Sequence[int]) -> None:
        for note_id in note_ids:
            letter = await asyncio.to_thread(self._begin, note_id)
            if letter is not None:
                await self._say(letter)

    def _begin(self, note_id: int) -> Letter | None:
        """Row first: note that the platform is about to be asked. None: there is nothing to send now."""
        at = self._clock()
        with self._db.transaction() as tx:
            note = outbox.claim(tx, note_id, at)
            if note is None:
                return None
            to = address_of(tx, note)
            mouth = self._mouths.get(to.platform) if to else None
            if to is None or mouth is None:
                error = f"no way to speak on {to.platform}" if to else f"person {note.person_id} never spoke here"
                outbox.mark_failed(tx, note_id, error, final=False, next_at=at + NO_WAY)
                return None
            try:
                if note.text is None:
                    with tx.begin_nested():
                        said = self._render(tx, note)
                    # Kept, so that a retry goes on with the very words of which some may have arrived.
                    note.text = said.text
                    note.buttons = outbox.written((button.label, button.text) for button in said.buttons)
                    note.picture = said.picture
                parts = split(note.text, mouth.limit)
                buttons = [Button(label=label, text=text) for label, text in outbox.buttons_of(note)]
            except Exception as error:
                if is_away(error):
                    raise
                log.error("note %d (%s) cannot be rendered: %s", note_id, note.kind, place_of(error))
                outbox.mark_failed(tx, note_id, f"cannot be rendered: {place_of(error)}", final=True, next_at=at)
                return None
            outbox.mark_sending(tx, note, to=to, at=at)
            return Letter(
                note_id=note_id,
                to=to,
                mouth=mouth,
                parts=parts,
                buttons=buttons,
                sent=note.parts_sent,
                attempts=note.attempts,
                first_at=note.first_at or at,
                has_picture=note.picture is not None and note.attempts <= PICTURES,
            )

    async def _say(self, letter: Letter) -> None:
        """Platform second, note third, part by part."""
        last = len(letter.parts) - 1
        picture = await asyncio.to_thread(self._drawn, letter.note_id) if letter.has_picture else None
        for number in range(letter.sent, len(letter.parts)):
            try:
                async with asyncio.timeout(self._patience):
                    await letter.mouth.say(
                        letter.to.account_id,
                        letter.parts[number],
                        key=f"{letter.note_id}-{number}",
                        buttons=letter.buttons if number == last else (),
                        picture=picture if number == last else None,
                    )
            except Unheard as unheard:
                await _noted(self._unheard, letter, unheard)
                return
            except Exception as error:  # noqa: BLE001 - a mouth's bug, or no answer: it may have arrived
                log.error("note %d: no answer from %s: %s", letter.note_id, letter.to.platform, place_of(error))
                final = not letter.mouth.remembers_keys
                await _noted(self._unheard, letter, Unheard(outbox.UNKNOWN, final=final))
                return
            if number != last:
                await _noted(self._note_part, letter.note_id, number + 1)
        await _noted(self._note_sent, letter.note_id)

    def _drawn(self, note_id: int) -> Picture | None:
        """The note's picture; None if it cannot be made: the words go out all the same."""
        try:
            with self._db.reading() as tx:
                return self._picture(tx, tx.get_one(OutboxNote, note_id))
        except Exception as error:  # noqa: BLE001 - a picture is never worth a message
            log.error("note %d: its picture cannot be made: %s", note_id, place_of(error))
            return None

    def _unheard(self, letter: Letter, unheard: Unheard) -> None:
        at = self._clock()
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(letter.attempts - 1, 30))
        pause = max(self._chance() * longest, unheard.retry_after or 0.0)
        final = unheard.final or at - letter.first_at > GIVE_UP
        with self._db.transaction() as tx:
            next_at = at + timedelta(seconds=pause)
            outbox.mark_failed(tx, letter.note_id, str(unheard), final=final, next_at=next_at)

    def _note_part(self, note_id: int, parts_sent: int) -> None:
        with self._db.transaction() as tx:
            outbox.mark_part(tx, note_id, parts_sent)

    def _note_sent(self, note_id: int) -> None:
        with self._db.transaction() as tx:
            outbox.mark_sent(tx, note_id, self._clock())


async def _noted(note: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Write down what a platform answered, however long the database is away: it cannot be asked again."""
    while True:
        try:
            return await asyncio.to_thread(note, *args, **kwargs)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("the database is away (%s); what a platform answered is yet to be noted", place_of(error))
            await asyncio.sleep(LOOK)


async def _finishing(work: asyncio.Future[None], patience: float) -> None:
    """Await the work; cancelled, let what is being said end first, or nobody would know whether it arrived."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        if not work.done():
            await asyncio.wait((work,), timeout=min(patience, 10))
            work.cancel()
        raise
