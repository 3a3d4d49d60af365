"""The only file that knows the stripe library: asks Stripe one question, and says plainly what went wrong."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import stripe
from stripe import RequestsClient, StripeClient, StripeError, StripeObject

from core.payments.stripe.pace import Pace, endpoint

stripe.enable_telemetry = False  # it would write a file into the home directory

PAGE = 100
"""The most objects that Stripe gives at once."""

Kind = Literal["declined", "refused", "missing", "keys", "busy", "silent", "broken", "mismatch"]
"""What went wrong:

- declined: the card's bank said no (402);
- refused: Stripe won't do this (400); nothing happened;
- missing: what was asked about is not there (404, or a parameter names something that is gone); nothing happened;
- keys: the secret key is not accepted, or may not do this (401, 403); nothing happened;
- busy: asked too fast, or the same request is still under way (429, 409);
- silent: no answer; it may have happened or not;
- broken: a fault of Stripe's (500), or an answer that can't be read; it may have happened or not. Stripe keeps a 500
  under the idempotency key for a day and repeats it (docs.stripe.com/api/idempotent_requests);
- mismatch: the idempotency key was used with something else; nothing happened now, something may have before.
"""

_SECRET = re.compile(r"\b(?:(?:sk|rk|ek)_(?:test|live)_\w+|whsec_\w+|(?:pi|seti|cs)_\w+?_secret_\w+)")
_HIDDEN = "[secret]"


def redacted(text: str) -> str:
    """A text without anything that looks like a secret of Stripe's."""
    return _SECRET.sub(_HIDDEN, text)


class _Redaction(logging.Filter):
    """Keeps secrets out of what the library logs, should a server ever repeat one in an answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        return True


logging.getLogger("stripe").addFilter(_Redaction())


class Trouble(Exception):
    """A question without the answer that was wanted; ``str()`` is a sentence for operators, free of secrets."""

    def __init__(self, kind: Kind, sentence: str, error: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.error: Mapping[str, Any] = error or {}
        """Stripe's own account of it: code, decline_code, advice_code, charge, param, message, payment_intent."""

    @property
    def code(self) -> str:
        """Stripe's code of the error; '' without one."""
        return str(self.error.get("code") or "")

    @property
    def param(self) -> str:
        """The parameter that the error is about; '' without one."""
        return str(self.error.get("param") or "")

    @property
    def message(self) -> str:
        """Stripe's own words, without secrets."""
        return redacted(str(self.error.get("message") or "no reason given"))


class Stripe:
    """Stripe, asked synchronously from any number of threads, without retries of the library's own.

    ``api``: another address than Stripe's, for tests. ``patience``: seconds that an answer may take.
    """

    def __init__(self, key: str, *, api: str = "", patience: float = 30.0, pace: Pace | None = None) -> None:
        self._key = key
        http = _Line(pace or Pace(), timeout=(min(10.0, patience), patience))
        self._client = StripeClient(
            key, http_client=http, base_addresses={"api": api.rstrip("/")} if api else None, max_network_retries=0
        )

    def ask(self, question: Callable[[StripeClient], StripeObject]) -> dict[str, Any]:
        """The answer to one call as plain data; Trouble instead of every error that Stripe or the network can cause."""
        try:
            return question(self._client).to_dict()
        except StripeError as error:
            trouble = _trouble(error)
        hidden = str(trouble).replace(self._key, _HIDDEN)
        # Not chained: the library's error carries the whole answer, and tracebacks are logged.
        raise Trouble(trouble.kind, hidden, _without(trouble.error, self._key))

    def pages(
        self, question: Callable[[StripeClient, Any], StripeObject], wanted: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Every object of a list, page by page; ``question`` is asked with what is wanted and where to go on."""
        params: dict[str, Any] = {"limit": PAGE, **wanted}
        while True:
            page = self.ask(lambda api: question(api, params))  # noqa: B023 - asked before it changes
            found = [each for each in page.get("data") or () if isinstance(each, dict)]
            yield from found
            if not page.get("has_more") or not found:
                return
            params = {**params, "starting_after": str(found[-1]["id"])}


class _Line(RequestsClient):
    """The library's HTTP client, at our pace; what is not of Stripe's form counts as no answer that can be read.

    A proxy's page, half a document: the library fails on some of them with errors that are no errors of its own.
    """

    def __init__(self, pace: Pace, timeout: tuple[float, float]) -> None:
        super().__init__(timeout=timeout)
        self._pace = pace

    def request(  # type: ignore[override] # the parent's own answer differs from the one that it promises
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request, not before its turn."""
        self._pace.wait(endpoint(method, url))
        body, status, answered = super().request(method, url, headers, post_data)
        if _readable(body, status):
            return body, status, answered
        return b'{"error": {"message": "an answer that is none of Stripe\'s"}}', 500, answered


def _readable(body: bytes, status: int) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and (200 <= status < 300 or isinstance(answer.get("error"), dict))


def _trouble(error: StripeError) -> Trouble:
    body = error.json_body
    detail = body.get("error") if isinstance(body, Mapping) else None
    detail = detail if isinstance(detail, Mapping) else {}
    code, said = str(detail.get("code") or ""), redacted(str(detail.get("message") or "no reason given"))
    if isinstance(error, stripe.APIConnectionError):
        return Trouble("silent", "no answer from Stripe")
    status = error.http_status or 0
    if status in (409, 429) or code in ("rate_limit", "lock_timeout", "idempotency_key_in_use"):
        return Trouble("busy", "Stripe is busy with this or with too many requests", detail)
    if isinstance(error, stripe.IdempotencyError):
        return Trouble(
            "mismatch",
            "Stripe knows this idempotency key from a request with other contents; it forgets it within 24 hours"
            " (does another hub, or an older database of this one, use the same Stripe account?)",
            detail,
        )
    if status == 401:
        return Trouble("keys", "Stripe does not accept the secret key: set a valid one in the settings", detail)
    if status == 403:
        return Trouble("keys", f"the Stripe key may not do this: give it the permission ({said})", detail)
    if status == 402:
        return Trouble("declined", said, detail)
    if status == 404 or code in ("resource_missing", "not_found"):
        return Trouble("missing", f"Stripe has no such thing: {said}", detail)
    if 400 <= status < 500:
        return Trouble("refused", f"Stripe refuses this: {said}", detail)
    return Trouble("broken", f"Stripe answered with a fault of its own ({status})", detail)


def _without(value: Any, key: str) -> Any:
    """Data without the secret key, wherever in it a server may have repeated it."""
    if isinstance(value, str):
        return value.replace(key, _HIDDEN)
    if isinstance(value, Mapping):
        return {name: _without(each, key) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, key) for each in value]
    return value
