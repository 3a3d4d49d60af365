"""A platform's answer as connectors read it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.outgoing.failures import Garbled

_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete answer of any status but 429 and 5xx, which are raised (see `Client.request`).

    ``headers`` are in lower case, repeated ones joined by ", "; ``url`` is where it came from in the end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        """The body as JSON; Garbled if it is none (a maintenance page, NaN, 100,000 open braces)."""
        reason = f"the answer ({self.status}) is not JSON; treat it as no answer and ask again later"
        try:
            return json.loads(self.body.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError):
            pass
        # Raised out here, where the error that quotes the body is no longer attached.
        raise Garbled(reason)

    def text(self) -> str:
        """The body as text by the charset it names, else UTF-8; what cannot be decoded becomes U+FFFD."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        try:
            return self.body.decode(named[1] if named else "utf-8", errors="replace")
        except (LookupError, ValueError):
            return self.body.decode("utf-8", errors="replace")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
