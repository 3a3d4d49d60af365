"""Errors as Stripe words them: a status, and a body with type, code, message and what it is about."""

from __future__ import annotations

from typing import Any

_DOCS = "https://docs.stripe.com/error-codes/"


class StripeError(Exception):
    """An answer that is an error; ``stored`` under the idempotency key where carrying the request out had begun."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - Stripe's own word
        code: str | None = None,
        param: str | None = None,
        stored: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.error: dict[str, Any] = {"message": message, "type": type}
        if code is not None:
            self.error |= {"code": code, "doc_url": _DOCS + code.replace("_", "-")}
        if param is not None:
            self.error["param"] = param
        self.error |= more

    @property
    def body(self) -> dict[str, Any]:
        """The answer."""
        return {"error": self.error}


def parameter_missing(name: str) -> StripeError:
    """A required parameter isn't there."""
    return malformed(f"Missing required param: {name}.", name, code="parameter_missing")


def malformed(message: str, param: str, *, code: str | None = None) -> StripeError:
    """The request can never be right; it isn't stored, and the fake remembers it as wrong."""
    return StripeError(400, message, param=param, code=code, stored=False)


def no_such(kind: str, id: str, param: str | None = None) -> StripeError:  # noqa: A002
    """There is nothing of that kind with that id."""
    status = 404 if param in (None, "id", "intent") else 400
    return StripeError(status, f"No such {kind}: '{id}'", code="resource_missing", param=param or "id")


def unexpected_state(message: str, intent: dict[str, Any], *, of: str = "payment_intent") -> StripeError:
    """An intent is not where this could be done with it."""
    error = StripeError(400, message, code=f"{of}_unexpected_state")
    error.error[of] = intent
    return error


UNAUTHORIZED = "Invalid API Key provided: {}"
