"""A folder's ``poll-*.json`` as data: recorded questions and answers beside the page that they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from connectors.base import KnownLike, Secrets
from connectors.client import Unanswered
from connectors.kit.vectors import BadVector, compact, event_of, only_known, said
from connectors.linking import Expired, Grant, Withdrawn
from connectors.polling import Mark, Page, Proof, Still, Wanted
from core.events import AccountRef, Liked, ThingRef

PREFIX = "poll-"
"""Files whose names begin so are recordings of polls; all others are webhook requests."""

FAILURES: Mapping[str, type[Exception]] = {each.__name__: each for each in (Unanswered, Expired, Withdrawn)}
"""All that may leave a polling connector."""

_FIELDS = {"about", "wanted", "exchanges", "secrets", "settings", "memory", "at"}
_OUTCOMES = ("page", "raises", "pages", "still")
_REQUEST = {"method", "path", "query", "json", "form"}
_ANSWER = {"status", "headers", "json", "body"}
_NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What the platform answers; ``drops``: nothing, the connection ends."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drops: bool = False

    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question by all that matters of it, and the answer."""

    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    form: Mapping[str, str]
    answer: Says


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVector:
    """One call of ``poll``, ``poll_together`` or ``still``: what is handed in, what is asked, what comes of it."""

    name: str
    wanted: tuple[Wanted, ...]
    exchanges: tuple[Exchange, ...]
    secrets: Secrets
    settings: Mapping[str, str]
    memory: Mapping[str, Any]
    at: datetime
    results: tuple[Page | str, ...] = ()
    """For each of ``wanted`` the page, or the name of the failure."""
    together: bool = False
    like: KnownLike | None = None
    still: Still | str | None = None
    """What `still` says of the like, or the name of the failure."""

    @property
    def pages(self) -> tuple[tuple[Wanted, Page], ...]:
        """The pages that it means, each with what was wanted."""
        pairs = zip(self.wanted, self.results, strict=False)
        return tuple((wanted, page) for wanted, page in pairs if isinstance(page, Page))


def read_polls(folder: Path, platform: str) -> tuple[PollVector, ...]:
    """Every recording of a poll in a folder; BadVector if there is none, or one that is not as documented."""
    files = sorted(folder.glob(f"{PREFIX}*.json"))
    if not files:
        raise BadVector(f"no recorded polls in {folder}: write {PREFIX}*.json, as docs/connectors.md shows")
    vectors = []
    for file in files:
        try:
            vectors.append(_vector(file.name, json.loads(file.read_text(encoding="utf-8")), platform))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadVector(f"{file}: {error!r}; docs/connectors.md shows what a recording holds") from error
    return tuple(vectors)


def said_page(page: Page) -> dict[str, Any]:
    """A page as a recording spells it."""
    return {
        "likes": [said(like) for like in page.likes],
        "besides": list(page.besides),
        "cursor": page.cursor,
        "more": page.more,
        "proves": page.proves,
        "total": page.total,
    }


def _vector(name: str, data: Mapping[str, Any], platform: str) -> PollVector:
    outcomes = [each for each in _OUTCOMES if each in data]
    if len(outcomes) != 1:
        raise ValueError(f"say exactly one of {', '.join(_OUTCOMES)}")
    only_known(data, _FIELDS | set(_OUTCOMES) | ({"like"} if "still" in data else set()), "the recording")
    together = "pages" in data
    wanted = [_wanted(each, platform) for each in (data["wanted"] if together else [data["wanted"]])]
    results: list[Page | str] = [_failure(data["raises"])] if "raises" in data else []
    results += [_result(each, platform) for each in data.get("pages", [data["page"]] if "page" in data else [])]
    if "still" not in data and len(results) != len(wanted):
        raise ValueError("give a page (or raises) for each that is wanted")
    return PollVector(
        name=name,
        wanted=tuple(wanted),
        exchanges=tuple(_exchange(each) for each in data["exchanges"]),
        secrets={each: _secret(value) for each, value in data.get("secrets", {}).items()},
        settings=dict(data.get("settings", {})),
        memory=dict(data.get("memory", {})),
        at=datetime.fromisoformat(data["at"]) if "at" in data else _NOON,
        results=tuple(results),
        together=together,
        like=_like(data["like"], wanted[0].account) if "still" in data else None,
        still=_still(data["still"]) if "still" in data else None,
    )


def _secret(value: str | Sequence[str]) -> tuple[bytes, ...]:
    return tuple(each.encode() for each in ([value] if isinstance(value, str) else value))


def _wanted(data: Mapping[str, Any], platform: str) -> Wanted:
    only_known(data, {"account_id", "mark", "grant"}, "wanted")
    account = AccountRef(platform=platform, account_id=data["account_id"])
    grant = None
    if data.get("grant") is not None:
        given = dict(data["grant"])
        ends = given.pop("expires_at", None)
        scopes = tuple(given.pop("scopes", ()))
        grant = Grant(
            account=account, expires_at=datetime.fromisoformat(ends) if ends else None, scopes=scopes, **given
        )
    return Wanted(account=account, grant=grant, mark=Mark(**data.get("mark", {})))


def _exchange(data: Mapping[str, Any]) -> Exchange:
    only_known(data, {"request", "answer"}, "an exchange")
    request, answer = data["request"], data["answer"]
    only_known(request, _REQUEST, "the request")
    only_known(answer, _ANSWER, "the answer")
    if "json" in answer and "body" in answer:
        raise ValueError("an answer has json or a body, not both")
    kind = {"content-type": "application/json"} if "json" in answer else {}
    headers = kind | {name.lower(): value for name, value in answer.get("headers", {}).items()}
    body = compact(answer["json"]) if "json" in answer else answer.get("body", "")
    return Exchange(
        method=request.get("method", "GET").upper(),
        path=request["path"],
        query=dict(request.get("query", {})),
        json=request.get("json"),
        form=dict(request.get("form", {})),
        answer=Says(status=answer.get("status", 200), headers=headers, body=body.encode()),
    )


def _result(data: Mapping[str, Any], platform: str) -> Page | str:
    if "raises" in data:
        return _failure(data["raises"])
    only_known(data, {"likes", "besides", "cursor", "more", "proves", "total"}, "the page")
    likes = [event_of({"event": "Liked", **each}) for each in data["likes"]]
    proves: Proof = data.get("proves", "nothing")
    if proves not in get_args(Proof):
        raise ValueError(f"proves is one of {', '.join(get_args(Proof))}")
    return Page(
        likes=tuple(like for like in likes if isinstance(like, Liked)),
        besides=tuple(data.get("besides", ())),
        cursor=data.get("cursor"),
        more=data.get("more"),
        proves=proves,
        total=data.get("total"),
    )


def _like(data: Mapping[str, Any], by: AccountRef) -> KnownLike:
    only_known(data, {"thing", "reaction", "like_id", "since"}, "the like")
    thing = {**data["thing"], "tags": tuple(data["thing"].get("tags", ()))}
    since = data.get("since")
    more = {name: data[name] for name in ("reaction", "like_id") if name in data}
    return KnownLike(by=by, thing=ThingRef(**thing), since=datetime.fromisoformat(since) if since else None, **more)


def _failure(name: str) -> str:
    if name not in FAILURES:
        raise ValueError(f"raises is one of {', '.join(FAILURES)}")
    return name


def _still(word: str) -> str:
    if word not in get_args(Still) and word not in FAILURES:
        raise ValueError(f"still is one of {', '.join([*get_args(Still), *FAILURES])}")
    return word
