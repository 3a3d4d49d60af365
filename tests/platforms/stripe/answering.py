"""From a request to its answer: who asks, is it well formed, was it asked before, and what goes wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.platforms.stripe import trouble as troubles
from tests.platforms.stripe.errors import UNAUTHORIZED, StripeError
from tests.platforms.stripe.forms import nested, several
from tests.platforms.stripe.keys import Keys, in_use
from tests.platforms.stripe.pages import Pages
from tests.platforms.stripe.routing import Routes
from tests.platforms.stripe.world import API_VERSION, Asked, Object, Request

_FAILED = StripeError(
    500,
    "An unknown error occurred. If you have any questions, we can help at https://support.stripe.com.",
    type="api_error",
)
_MANY = StripeError(
    429,
    "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits.",
    code="rate_limit",
)
_LOCKED = StripeError(
    429,
    "This object cannot be accessed right now because another API request or Stripe process is currently accessing it.",
    code="lock_timeout",
)


class Lost(Exception):
    """The connection is closed without an answer."""


@dataclass
class Answer:
    """What goes back."""

    status: int
    body: Mapping[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    whole: bytes = b""
    cut: bool = False
    """The connection is closed in the middle."""

    def __post_init__(self) -> None:
        self.whole = json.dumps(self.body, indent=2).encode()


class Answering(Pages):
    """The API."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.key = "sk_test_fake"
        self.troubles = troubles.Troubles()
        self.closing = threading.Event()
        self._keys = Keys()
        self._routes = Routes(self)
        self._asked = 0

    def trouble(self, what: str, path: str = "", method: str = "POST", times: int = 1) -> None:
        """The next requests to a path (a part of it; "" any) suffer; ``method`` "": any."""
        self.troubles.want(what, path, method, times)

    def weather(self, seed: object, rate: float = 0.1, kinds: Sequence[str] = troubles.ALL) -> None:
        """From now on any request may suffer; ``seed`` None: no more."""
        self.troubles.weather(seed, rate, kinds)

    def fair(self) -> None:
        """Nothing goes wrong any more."""
        self.troubles.fair()

    def release(self) -> None:
        """Requests that are HELD are answered."""
        released, self.troubles.released = self.troubles.released, threading.Event()
        released.set()

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The whole way of one request; raises Lost. ``headers`` in lower case."""
        with self.lock:
            self._asked += 1
            name = f"req_fake{self._asked:08d}"
            suffers = self.troubles.next(method, path)
        key = headers.get("idempotency-key") if method != "GET" else None
        account = headers.get("stripe-account") or headers.get("stripe-context")
        told = {"Request-Id": name, "Stripe-Version": headers.get("stripe-version", API_VERSION)}
        if key is not None:
            told["Idempotency-Key"] = key
        if suffers == troubles.LOSE_REQUEST:
            self._hear(Asked(method, path, {}, key, account))
            raise Lost
        params: dict[str, Any] = {}
        try:
            self._known(headers)
            self._passes_door(suffers, key)
            params = self._read(method, path, query, headers, body)
            made, replayed = self._keyed(method, path, params, Request(name, key, account), suffers)
            if replayed:
                told |= {"Idempotent-Replayed": "true"}
            if made.status >= 500:
                told |= {"Stripe-Should-Retry": "false"}
            made.headers |= told
        except StripeError as error:
            if error.status == 429:
                told |= {"Retry-After": "1"}
            made = Answer(error.status, error.body, told)
        self._hear(Asked(method, path, params, key, account, made.status, "Idempotent-Replayed" in made.headers))
        return self._spoiled(made, suffers)

    def _hear(self, asked: Asked) -> None:
        with self.lock:
            self.requests.append(asked)
            self.heard(asked)

    def _known(self, headers: Mapping[str, str]) -> None:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            shown = f"{given[:8]}{'*' * 8}{given[-4:]}"
            raise StripeError(401, UNAUTHORIZED.format(shown))

    def _passes_door(self, suffers: str | None, key: str | None) -> None:
        if suffers == troubles.TOO_MANY:
            raise _MANY
        if suffers == troubles.LOCKED:
            raise _LOCKED
        if suffers == troubles.CONFLICT:
            raise in_use(key or "")
        if suffers == troubles.FAIL_UNSTORED:
            raise _FAILED

    def _read(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The parameters, typed; what is wrong with them is remembered and refused."""
        v2 = path.startswith("/v2/")
        try:
            if v2 and "stripe-version" not in headers:
                raise StripeError(400, "Please provide the Stripe-Version header.", code="missing_version")
            if v2 and method == "POST":
                params = json.loads(body or b"{}")
            else:
                given = query if method in ("GET", "DELETE") else body.decode()
                params = nested(parse_qsl(given, keep_blank_values=True, strict_parsing=bool(given)))
            if self.spec is None:
                return dict(params)
            operation = self.spec.find(method, path)
            if operation is None:
                raise StripeError(
                    404,
                    f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help "
                    "at https://support.stripe.com/.",
                )
            # The way on through a v2 list is Stripe's own address; nobody writes it.
            further = params.pop("page", None) if v2 and method == "GET" else None
            reading = self.spec.read(operation, params)
            if reading.problems:
                raise reading.problems[0]
            return reading.values if further is None else reading.values | {"page": further}
        except (StripeError, ValueError) as problem:
            error = problem if isinstance(problem, StripeError) else StripeError(400, f"Invalid request: {problem}")
            with self.lock:
                self.wrong.append(f"{method} {path}: {error}")
            raise error from None

    def _keyed(
        self, method: str, path: str, params: dict[str, Any], request: Request, suffers: str | None
    ) -> tuple[Answer, bool]:
        """Carry out, unless the key says that it was; the second is whether it is an old answer."""
        key, account = request.key, request.account
        with self.lock:
            self.tick()
            if key is not None:
                try:
                    before = self._keys.begin(key, account, method, path, params, self.now())
                except StripeError as error:
                    if error.status == 400:
                        self.lies.append(f"{method} {path}: {error}")
                    raise
                if before is not None:
                    return Answer(before.status, before.body or {}), True
            if suffers == troubles.FAIL_BEFORE:
                made, stored = Answer(_FAILED.status, _FAILED.body), True
            else:
                made, stored = self._carry_out(method, path, params, request)
            kept = made
            if suffers == troubles.FAIL_AFTER:
                made, stored = Answer(_FAILED.status, _FAILED.body), True
                # v2 carries a failed request out again, but never makes anything twice.
                kept = kept if path.startswith("/v2/") else made
        if suffers == troubles.SLOW:
            time.sleep(self.troubles.slowness)
        elif suffers == troubles.HELD:
            released = self.troubles.released
            self.troubles.held.release()
            released.wait()
        with self.lock:
            if key is not None:
                if stored and not (path.startswith("/v2/") and kept.status >= 400):
                    self._keys.keep(key, account, kept.status, kept.body)
                else:
                    self._keys.forget(key, account)
        return made, False

    def _carry_out(self, method: str, path: str, params: dict[str, Any], request: Request) -> tuple[Answer, bool]:
        found = self._routes.find(method, path)
        if found is None:
            self.defects.append(f"{method} {path} is not known to the fake")
            return Answer(501, StripeError(501, "The fake doesn't know this request.", type="api_error").body), False
        handler, ids = found
        self.request = request
        try:
            made = handler(params, *ids)
            if self.objects.get(made.get("id", "")) is made:
                made = self.shown(made, several(params, "expand"))
            self._judge(method, path, made)
            return Answer(200, made), True
        except StripeError as error:
            if error.status == 400 and not error.stored:
                self.wrong.append(f"{method} {path}: {error}")
            return Answer(error.status, error.body), error.stored
        finally:
            self.request = None

    def _judge(self, method: str, path: str, made: Object) -> None:
        operation = self.spec.find(method, path) if self.spec else None
        if operation is not None and self.spec is not None:
            if made.get("object") == "v2.core.event":
                # Each kind of event adds its own.
                made = {name: value for name, value in made.items() if name not in ("data", "related_object")}
            self.defects += [f"answer to {method} {path}: {each}" for each in self.spec.judge(operation, made)]

    def _spoiled(self, made: Answer, suffers: str | None) -> Answer:
        if suffers == troubles.LOSE_ANSWER:
            raise Lost
        if suffers == troubles.HANG:
            self.closing.wait()
            raise Lost
        if suffers == troubles.CUT:
            made.cut = True
        elif suffers == troubles.GARBLED:
            made.whole = made.whole[: len(made.whole) // 2]
        return made
