"""Which subscriptions the hub wants at X, and how those that are there are recognised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.events import AccountRef

OURS = "flattr:"
"""How the tags of the hub's own subscriptions begin; others' are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One subscription that there should be; ``by``: with whose access it is made (None: the app's)."""

    event_type: str
    user_id: str | None = None
    direction: str | None = None
    by: AccountRef | None = field(default=None, compare=False)

    @property
    def filter(self) -> dict[str, str]:
        """Whose acts, and in which direction."""
        parts = {"user_id": self.user_id, "direction": self.direction}
        return {name: value for name, value in parts.items() if value is not None}

    @property
    def tag(self) -> str:
        """What X keeps beside it (200 characters at most)."""
        return OURS + ":".join((self.event_type, *self.filter.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """One subscription that X lists."""

    number: str
    tag: str
    event_type: str
    filter: Mapping[str, str]
    webhook_id: str | None

    @property
    def is_ours(self) -> bool:
        """Whether the hub made it."""
        return self.tag.startswith(OURS)

    def is_for(self, wanted: Wanted, webhook_id: str) -> bool:
        """Whether it does what is wanted; what X does not repeat in its list is taken from our own tag."""
        if self.webhook_id not in (None, webhook_id) or self.event_type != wanted.event_type:
            return False
        if self.is_ours:
            return self.tag == wanted.tag and all(wanted.filter.get(name) == self.filter[name] for name in self.filter)
        return dict(self.filter) == wanted.filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is to be removed, and what is to be made, in that order."""

    superfluous: tuple[There, ...]
    missing: tuple[Wanted, ...]
    left_out: int
    """How many members' likes do not fit under the ceiling."""


def wanted_of(members: Iterable[AccountRef], bot: AccountRef | None, *, likes: bool, letters: bool) -> list[Wanted]:
    """All subscriptions there should be, the hub's own first; nothing about likes unless they may be listened to."""
    wanted = [Wanted(event_type="oauth.revoke")]
    if letters and bot is not None:
        wanted.append(Wanted(event_type="dm.received", user_id=bot.account_id, by=bot))
    if likes:
        wanted += [
            Wanted(event_type="like.create", user_id=each.account_id, direction="outbound", by=each) for each in members
        ]
    return wanted


def difference(wanted: Sequence[Wanted], there: Sequence[There], *, webhook_id: str, ceiling: int) -> Difference:
    """What has to change, with what goes to the hub's address only."""
    # Ours are found by their tags (X may leave the filter out of its list), others' by what they do.
    by_sign: dict[object, list[There]] = defaultdict(list)
    for one in there:
        by_sign[one.tag if one.is_ours else (one.event_type, one.filter.get("user_id"))].append(one)
    serving: set[str] = set()
    missing = []
    for each in wanted:
        candidates = (*by_sign[each.tag], *by_sign[each.event_type, each.user_id])
        found = next((one for one in candidates if one.is_for(each, webhook_id)), None)
        if found is None:
            missing.append(each)
        else:
            serving.add(found.number)
    superfluous = [each for each in there if each.is_ours and each.number not in serving]
    room = max(ceiling - (len(there) - len(superfluous)), 0)
    return Difference(
        superfluous=tuple(superfluous), missing=tuple(missing[:room]), left_out=max(len(missing) - room, 0)
    )


def there_of(entry: Mapping[str, Any]) -> There | None:
    """A subscription as X spells it; None for what is none."""
    number, kind, chosen = entry.get("subscription_id"), entry.get("event_type"), entry.get("filter")
    if not isinstance(number, str) or not number.isdigit() or not isinstance(kind, str):
        return None
    tag, hook = entry.get("tag"), entry.get("webhook_id")
    parts = chosen.items() if isinstance(chosen, dict) else ()
    return There(
        number=number,
        tag=tag if isinstance(tag, str) else "",
        event_type=kind,
        filter={str(name): value for name, value in parts if isinstance(value, str)},
        webhook_id=hook if isinstance(hook, str) else None,
    )


def made_of(answer: Mapping[str, Any]) -> There | None:
    """The new subscription in an answer, which X's documentation shows in three shapes."""
    data = answer.get("data")
    if isinstance(data, dict) and isinstance(data.get("subscription"), dict):
        data = data["subscription"]
    if isinstance(data, list):
        data = data[0] if data else None
    return there_of(data) if isinstance(data, dict) else None
