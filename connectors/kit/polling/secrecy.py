"""Rule of secrecy: tokens appear in no log, output, exception or page, not even where the platform echoes them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from dataclasses import replace
from typing import Any

from connectors.kit.polling.faults import GONE
from connectors.kit.polling.subject import PollRule, PollSubject, canaried
from connectors.kit.polling.vectors import PollVector, Says, said_page
from connectors.kit.secrecy import confess
from connectors.kit.subject import broken, fresh_secret
from connectors.kit.vectors import compact
from connectors.polling import Page

_GIVEN = ("access_token", "refresh_token", "oauth_token", "oauth_token_secret")
"""Fields in which a platform hands out what must not be told."""


async def untold(subject: PollSubject) -> None:
    """Canary tokens are planted, then good and bad answers come while everything said is overheard."""
    word = fresh_secret(21).decode()
    for vector in subject.polls:
        planted = _planted(vector, word)
        tries: list[tuple[str, dict[int, Says]]] = [("as recorded", {})]
        for number in range(len(vector.exchanges)):
            tries += [(f"with {name} for question {number + 1}", {number: says}) for name, says in _echoing(word)]
        for name, answers in tries:
            if word in await _overheard(subject, planted, answers):
                broken(
                    f"a token is in what the connector said about {vector.name} {name}",
                    "name no token in messages, logs or pages, and never quote what a platform answered",
                )


def _planted(vector: PollVector, word: str) -> PollVector:
    exchanges = []
    for exchange in vector.exchanges:
        value = exchange.answer.json()
        if _plant(value, word):
            exchange = replace(exchange, answer=replace(exchange.answer, body=compact(value).encode()))
        exchanges.append(exchange)
    return replace(
        vector,
        wanted=tuple(canaried(wanted, word) for wanted in vector.wanted),
        exchanges=tuple(exchanges),
        secrets={name: (f"{word}-{name}".encode(),) for name in vector.secrets},
    )


def _plant(value: Any, word: str) -> bool:
    found = False
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in _GIVEN and isinstance(inner, str):
            value[key], found = f"{word}-{key}", True
        else:
            found = _plant(inner, word) or found
    return found


def _echoing(word: str) -> list[tuple[str, Says]]:
    """Bad answers that repeat what they were sent."""
    text = f"the token {word}-access ({word}-secret) is not valid"
    body = json.dumps({"error": text, "errors": [{"message": text, "type": text}], "message": text, "code": text})
    kind = {"content-type": "application/json"}
    echoes = [
        (f"an echo under {status}", Says(status=status, headers=kind, body=body.encode())) for status in (200, 400)
    ]
    echoes.append(("an echo in HTML", Says(headers={"content-type": "text/html"}, body=f"<p>{text}</p>".encode())))
    return [*echoes, *((name, says if not says.body else replace(says, body=body.encode())) for name, says in GONE)]


async def _overheard(subject: PollSubject, vector: PollVector, answers: dict[int, Says]) -> str:
    """Everything that is said while one page is read."""
    heard = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s %(exc_text)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard), warnings.catch_warnings():
            warnings.simplefilter("always")
            told = await subject.read(vector, vector.name, answers=answers)
            for result in told.results:
                if isinstance(result, Page):
                    print(repr(result), json.dumps(said_page(result)))
                else:
                    confess(heard, result)
    except AssertionError:
        pass  # other rules judge that
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return heard.getvalue()


RULES: tuple[tuple[str, PollRule], ...] = (("tokens are never said", untold),)
