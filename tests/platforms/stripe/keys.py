"""Idempotency keys exactly as Stripe keeps them: the first answer again, errors and 500s too, for 24 hours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.platforms.stripe.errors import StripeError

V1_LIVES = 24 * 3600
V2_LIVES = 30 * V1_LIVES


@dataclass
class Kept:
    """One key: what was asked under it, and what was answered. Without a status it is being carried out."""

    method: str
    path: str
    params: str
    at: int
    status: int = 0
    body: Mapping[str, Any] | None = None


class Keys:
    """All keys, each of an account of its own."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str | None, str], Kept] = {}

    def begin(
        self, key: str, account: str | None, method: str, path: str, params: Mapping[str, Any], at: int
    ) -> Kept | None:
        """None: carry it out, it is new. Else what was answered. Raises for another request, or one under way."""
        asked = json.dumps(params, sort_keys=True, default=str)
        kept = self._kept.get((account, key))
        if kept is None or _forgotten(kept, at):
            self._kept[account, key] = Kept(method, path, asked, at)
            return None
        if (kept.method, kept.path) != (method, path):
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{kept.path}'). Try using a key other than '{key}' if you meant to execute a different "
                "request.",
                type="idempotency_error",
                stored=False,
            )
        if kept.params != asked:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
                f"using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
                stored=False,
            )
        if not kept.status:
            raise in_use(key)
        return kept

    def keep(self, key: str, account: str | None, status: int, body: Mapping[str, Any]) -> None:
        """This is the answer from now on."""
        kept = self._kept[account, key]
        kept.status, kept.body = status, body

    def forget(self, key: str, account: str | None) -> None:
        """Nothing was carried out under the key."""
        self._kept.pop((account, key), None)


def _forgotten(kept: Kept, at: int) -> bool:
    lives = V2_LIVES if kept.path.startswith("/v2/") else V1_LIVES
    return bool(kept.status) and at - kept.at >= lives


def in_use(key: str) -> StripeError:
    """Another request with the key is being carried out."""
    return StripeError(
        409,
        f"There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later.",
        type="idempotency_error",
        code="idempotency_key_in_use",
        stored=False,
    )
