"""What the fake knows: objects by id, the events they made, and what is still due to happen."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.platforms.stripe.errors import StripeError, no_such
from tests.platforms.stripe.spec import Spec, load

Object = dict[str, Any]
Clock = Callable[[], datetime]
API_VERSION = "2026-10-28.endive"
_ALSO_THIN = {"v2.core.account[configuration.recipient].capability_status_updated"}
"""In the library (stripe.events), though not in the list of the subset."""
DEPTH = 4
"""How deep properties may be expanded."""


@dataclass(frozen=True)
class Asked:
    """One request, and what became of it; ``status`` 0: it was lost."""

    method: str
    path: str
    params: Mapping[str, Any]
    key: str | None
    account: str | None
    status: int = 0
    replayed: bool = False


@dataclass
class Names:
    """By which metadata the hub's rows are known."""

    statement: str = "statement"
    payout: str = "payout"
    attempt: str = "attempt"
    person: str = "person"


@dataclass
class Request:
    """The request that is being carried out: events name it."""

    id: str
    key: str | None
    account: str | None = None
    made: list[str] = field(default_factory=list)


class World:
    """Objects, events, time. Everything that changes it holds `lock`."""

    def __init__(self, *, clock: Clock, currency: str = "eur") -> None:
        self.clock = clock
        self.currency = currency
        self.names = Names()
        self.spec: Spec | None = load()
        self.lock = threading.RLock()
        self.address = ""
        self.objects: dict[str, Object] = {}
        self.kinds: dict[str, list[str]] = {}
        """Ids in the order in which they were made."""
        self.home: dict[str, str] = {}
        """Whose an object is that isn't the platform's: the connected account."""
        self.events: list[Object] = []
        self.wrong: list[str] = []
        """Requests that Stripe would refuse for their form."""
        self.defects: list[str] = []
        """Answers and events of the fake that are not as Stripe's description says."""
        self.lies: list[str] = []
        """What must never happen with money, and did."""
        self.request: Request | None = None
        self._made = 0
        self._due: list[Callable[[], None]] = []

    # Time

    def now(self) -> int:
        """The fake's time as Stripe tells it."""
        return int(self.clock().timestamp())

    def iso(self, seconds: float = 0) -> str:
        """The same for v2."""
        return datetime.fromtimestamp(self.now() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def soon(self, happens: Callable[[], None]) -> None:
        """Something that Stripe does by itself, a moment later."""
        self._due.append(happens)

    def tick(self) -> None:
        """Let happen what is due by now; every request does it too."""
        with self.lock:
            while self._due:
                due, self._due = self._due, []
                for happens in due:
                    happens()
            self.passes()

    def passes(self) -> None:
        """What the clock alone brings; parts add theirs."""

    # Objects

    def new_id(self, prefix: str) -> str:
        """An id that nobody guesses and every run repeats."""
        self._made += 1
        told = hashlib.sha256(f"{prefix}{self._made}".encode()).hexdigest()
        return f"{prefix}_1Fake{told[:18]}"

    def add(self, kind: str, prefix: str, *, account: str | None = None, bare: bool = False, **fields: Any) -> Object:
        """A new object; ``bare``: of a kind that has no livemode."""
        made: Object = {"id": self.new_id(prefix), "object": kind, "created": self.now()}
        if not bare:
            made["livemode"] = False
        made |= fields
        self.objects[made["id"]] = made
        self.kinds.setdefault(kind, []).append(made["id"])
        if account is not None:
            self.home[made["id"]] = account
        return made

    def get(self, kind: str, id: str, *, account: str | None = None, param: str | None = None) -> Object:  # noqa: A002
        """An object by its id, or Stripe's answer that there is none."""
        found = self.objects.get(id)
        if found is None or found["object"] != kind or self.home.get(id) != account:
            raise no_such(kind.rsplit(".", 1)[-1].replace("_", " "), id, param)
        return found

    def all(self, kind: str) -> list[Object]:
        """Every object of a kind, in the order in which they were made."""
        return [self.objects[each] for each in self.kinds.get(kind, ())]

    def object(self, id: str) -> Object:  # noqa: A002
        """An object as the API shows it; for tests."""
        with self.lock:
            self.tick()
            return self.shown(self.objects[id])

    # How objects are shown

    def shown(self, made: Object, expand: Iterable[str] = ()) -> Object:
        """A copy as the API answers it; ``expand``: names of properties, with points for deeper ones."""
        shown = copy.deepcopy({key: value for key, value in made.items() if not key.startswith("_")})
        self.complete(made, shown)
        for path in expand:
            steps = path.split(".")
            if len(steps) > DEPTH:
                raise StripeError(400, f"You cannot expand more than {DEPTH} levels of a property. Property: {path}")
            self._expand(shown, steps, path)
        return shown

    def complete(self, made: Object, shown: Object) -> None:
        """Add what an object of this kind tells about others; parts add theirs."""

    def _expand(self, shown: Any, steps: list[str], path: str) -> None:
        if isinstance(shown, list):
            for each in shown:
                self._expand(each, steps, path)
            return
        if shown is None:
            return
        name, further = steps[0], steps[1:]
        if not isinstance(shown, dict) or (name not in shown and not self.virtual(shown, name)):
            raise StripeError(400, f"This property cannot be expanded ({path}).", stored=False)
        value = shown[name]
        if isinstance(value, str):
            if value not in self.objects:
                raise StripeError(400, f"This property cannot be expanded ({path}).", stored=False)
            shown[name] = self.shown(self.objects[value])
        if further:
            self._expand(shown[name], further, path)

    def virtual(self, shown: Object, name: str) -> bool:
        """Whether a property that is only there when asked for was filled in; parts add theirs."""
        return False

    # Events

    def emit(
        self, kind: str, made: Object, *, before: Mapping[str, Any] | None = None, account: str | None = None
    ) -> None:
        """A snapshot event, with the object as it is now."""
        told = self.shown(made)
        data: Object = {"object": told}
        if before is not None:
            data["previous_attributes"] = dict(before)
        asked = self.request
        event: Object = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": asked.id if asked else None, "idempotency_key": asked.key if asked else None},
            "type": kind,
        }
        if account is not None:
            event["account"] = account
        if self.spec is not None:
            if kind not in self.spec.snapshots:
                self.defects.append(f"there is no event {kind}")
            self.defects += [f"{kind}: {each}" for each in self.spec.judge_object(told["object"], told)]
        self._tell(event, account)

    def emit_thin(self, kind: str, related: Object, data: Mapping[str, Any] | None = None) -> None:
        """A thin event: it names the object, nothing more; asking for the event gives ``data`` too."""
        asked = self.request
        reason = None
        if asked is not None:
            reason = {"type": "request", "request": {"id": asked.id, "idempotency_key": asked.key or ""}}
        event: Object = {
            "id": self.new_id("evt_v2"),
            "object": "v2.core.event",
            "type": kind,
            "created": self.iso(),
            "livemode": False,
            "context": None,
            "reason": reason,
            "related_object": {
                "id": related["id"],
                "type": related["object"],
                "url": f"/v2/core/accounts/{related['id']}",
            },
        }
        if data:
            event["_data"] = dict(data)
        if self.spec is not None and kind not in self.spec.thins | _ALSO_THIN:
            self.defects.append(f"there is no event {kind}")
        self._tell(event, None)

    def _tell(self, event: Object, account: str | None) -> None:
        self.events.append(event)
        self.objects[event["id"]] = event
        self.kinds.setdefault(event["object"], []).append(event["id"])
        if account is not None:
            self.home[event["id"]] = account
        self.told(event)

    def told(self, event: Object) -> None:
        """An event is there to be delivered; parts add theirs."""


def listed(
    found: list[Object],
    params: Mapping[str, Any],
    url: str,
    show: Callable[[Object, list[str]], Object],
    expand: list[str],
) -> Object:
    """A page of a v1 list, newest first. ``found`` is in the order of making."""
    limit = int(params.get("limit") or 10)
    if not 1 <= limit <= 100:
        raise StripeError(400, f"Invalid limit: {limit}. It must be between 1 and 100.", param="limit", stored=False)
    newest = [each for each in reversed(found) if _when(params.get("created"), each["created"])]
    after, before = params.get("starting_after"), params.get("ending_before")
    ids = [each["id"] for each in newest]
    for cursor in (after, before):
        if cursor and cursor not in ids:
            raise no_such("object", cursor, "starting_after" if cursor == after else "ending_before")
    if before:
        rest = newest[: ids.index(before)]
        page, more = rest[-limit:], len(rest) > limit
    else:
        rest = newest[ids.index(after) + 1 :] if after else newest
        page, more = rest[:limit], len(rest) > limit
    deeper = []
    for path in expand:
        if not path.startswith("data."):
            raise StripeError(400, f"This property cannot be expanded ({path}).", stored=False)
        deeper.append(path.removeprefix("data."))
    return {"object": "list", "data": [show(each, deeper) for each in page], "has_more": more, "url": url}


def _when(wanted: Any, created: Any) -> bool:
    if wanted in (None, "") or not isinstance(created, int):
        return True
    if not isinstance(wanted, Mapping):
        return created == int(wanted)
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": lambda at, than: at > than,
        "gte": lambda at, than: at >= than,
        "lt": lambda at, than: at < than,
        "lte": lambda at, than: at <= than,
    }
    return all(tests[each](created, int(than)) for each, than in wanted.items())
