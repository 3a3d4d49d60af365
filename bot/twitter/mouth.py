"""Says things on X: direct messages from the bot's account, each at most once, within X's limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.twitter.access import Accesses, asked
from connectors import twitter as words
from connectors.base import Asker
from connectors.client import Garbled, Limited, Unanswered, Unreachable
from connectors.linking import Grant, Withdrawn
from connectors.reading import moment
from connectors.speaking import Button, Picture, Unheard
from core.events import AccountRef

_CHOICES = 1_000
"""Characters kept free for what buttons become."""

MOST, SPAN = 15, timedelta(minutes=15)
"""So many messages in so much time, which are 1,440 a day: https://docs.x.com/x-api/fundamentals/rate-limits"""

_WITHIN = 20.0
"""Seconds for one message, below the patience of whoever sends it."""

_SKEW = timedelta(minutes=2)
"""How far X's clock may be behind ours."""

_OURS = frozenset({"client-forbidden", "unsupported-authentication", "usage-capped"})
"""Refusals that only whoever runs the hub can mend: the letter waits for that."""


@dataclass(frozen=True, slots=True)
class _Unsure:
    """A message whose answer was lost."""

    since: datetime


class TwitterMouth:
    """Sends direct messages; before a second try of one that may have arrived it looks into the conversation."""

    platform = words.PLATFORM
    limit = words.LONGEST_MESSAGE - _CHOICES
    remembers_keys = False

    def __init__(self, asker: Asker, accesses: Accesses, bot: AccountRef, clock: Callable[[], datetime]) -> None:
        self._asker = asker
        self._accesses = accesses
        self._bot = bot
        self._clock = clock
        self._times: deque[datetime] = deque(maxlen=MOST)
        self._unsure: dict[str, _Unsure] = {}
        self._sent: deque[str] = deque(maxlen=10_000)

    async def say(
        self,
        account_id: str,
        text: str,
        *,
        key: str,
        buttons: Sequence[Button] = (),
        picture: Picture | None = None,
    ) -> None:
        """Send one direct message; Unheard if that failed.

        Without the picture: X takes one only from accounts that granted ``media.write``, which the bot's sign-in does
        not ask for. The page of the statement, whose address is in the text, shows it.
        """
        if not account_id.isascii() or not account_id.isdigit():
            raise Unheard(f"{account_id!r} is not an account id of X", final=True)
        whole = with_choices(text, buttons)
        try:
            if key in self._unsure and await self._is_there(account_id, whole, self._unsure[key].since):
                del self._unsure[key]
                return
            self._take_turn()
            await self._send(account_id, whole, key)
        except Withdrawn:
            raise Unheard("X has ended the access to the bot's account; sign in as it again", retry_after=600) from None
        except words.Refused as refused:
            raise _unheard(refused) from None
        except Limited as limited:
            raise Unheard("X asks for a pause", retry_after=limited.retry_after) from None
        except Unanswered as unanswered:
            raise Unheard(str(unanswered), retry_after=unanswered.retry_after) from None

    def _take_turn(self) -> None:
        """Note that a message goes out now; Unheard if X would not take it yet."""
        now = self._clock()
        if len(self._times) == MOST and self._times[0] > now - SPAN:
            wait = (self._times[0] + SPAN - now).total_seconds()
            raise Unheard(f"X takes {MOST} messages in a quarter of an hour", retry_after=max(wait, 1.0))
        self._times.append(now)

    async def _send(self, account_id: str, text: str, key: str) -> None:
        started = self._clock()
        try:
            answer = await asked(self._accesses, self._bot, lambda grant: self._create(grant, account_id, text))
        except (Unreachable, Garbled) as lost:
            # What was not even sent cannot have arrived.
            if not isinstance(lost, Unreachable) or lost.perhaps_done:
                self._unsure.setdefault(key, _Unsure(started))
            raise
        self._unsure.pop(key, None)
        sent = answer.get("data")
        number = sent.get("dm_event_id") if isinstance(sent, dict) else None
        if isinstance(number, str):
            self._sent.append(number)

    async def _create(self, grant: Grant, account_id: str, text: str) -> dict[str, Any]:
        client = words.TwitterClient(self._asker, grant, within=_WITHIN)
        answer: dict[str, Any] = await client.create_direct_message(
            participant_id=account_id, text=text, user_auth=False
        )
        return answer

    async def _is_there(self, account_id: str, text: str, since: datetime) -> bool:
        """Whether a message of ours with these words is in the conversation, and is not known to be another's."""

        async def look(grant: Grant) -> dict[str, Any]:
            client = words.TwitterClient(self._asker, grant, within=_WITHIN)
            listed: dict[str, Any] = await client.get_direct_message_events(
                participant_id=account_id,
                event_types="MessageCreate",
                dm_event_fields=["id", "text", "sender_id", "created_at", "entities"],
                max_results=20,
                user_auth=False,
            )
            return listed

        for event in words.objects(await asked(self._accesses, self._bot, look), "data"):
            at, number = moment(event.get("created_at")), event.get("id")
            if event.get("sender_id") != self._bot.account_id or not isinstance(number, str):
                continue
            # X cuts white space at the ends, and puts addresses of its own in the place of ours.
            said = words.message_text(event.get("text"), event.get("entities"))
            if at is not None and at >= since - _SKEW and number not in self._sent and said == text.strip():
                self._sent.append(number)
                return True
        return False


def with_choices(text: str, buttons: Sequence[Button]) -> str:
    """X's messages have no buttons: what they would send is said under the text, to be typed."""
    lines: list[str] = []
    for button in buttons:
        meaning = "" if button.label.casefold() == button.text.casefold() else f" ({button.label})"
        lines.append(f"→ {button.text}{meaning}")
    while lines and len("\n".join(lines)) + 20 > _CHOICES:
        lines.pop()
    return "\n".join((text, "", "You can answer:", *lines)) if lines else text


def _unheard(refused: words.Refused) -> Unheard:
    if refused.kind in _OURS:
        return Unheard(str(refused), retry_after=3600)
    if refused.status == 403:
        return Unheard("this account takes no messages from the hub's bot, or has not written first", final=True)
    return Unheard(str(refused), final=True)
