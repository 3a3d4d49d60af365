"""The polling connector under test: what it makes of answers; exceptions but the allowed ones break a rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import urlsplit

from connectors.base import Asker, Card, KnownLike, Secrets
from connectors.client import Unanswered
from connectors.kit.meaning import fact, sound
from connectors.kit.polling.recorded import Recorded
from connectors.kit.polling.vectors import FAILURES, PollVector, Says
from connectors.kit.subject import broken
from connectors.linking import Expired, Withdrawn
from connectors.polling import Page, PollingConnector, PollingTogether, Proof, Still, Wanted
from core.events import Liked

PollRule = Callable[["PollSubject"], Awaitable[None]]

_LONGEST_MARK = 4_000
"""Characters; a mark is stored beside the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one call: for each that was wanted a page or the failure, and what was asked for it."""

    results: tuple[Page | Exception, ...]
    client: Recorded
    memory: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSubject:
    """A polling connector and its recordings."""

    connector: PollingConnector
    vectors: tuple[PollVector, ...]

    @property
    def card(self) -> Card:
        """The connector's claims."""
        return self.connector.card

    @property
    def polls(self) -> tuple[PollVector, ...]:
        """The recordings of polls (the others are of `still`)."""
        return tuple(vector for vector in self.vectors if vector.still is None)

    @property
    def stills(self) -> tuple[PollVector, ...]:
        """The recordings of `still`."""
        return tuple(vector for vector in self.vectors if vector.still is not None)

    @property
    def giving(self) -> tuple[PollVector, ...]:
        """The recordings of polls that give at least one page."""
        return tuple(vector for vector in self.polls if vector.pages)

    def client(
        self, vector: PollVector, answers: Mapping[int, Says] | None = None, always: Says | None = None
    ) -> Recorded:
        """The client over a recording, perhaps with other answers."""
        given = (urlsplit(value).hostname or "" for value in vector.settings.values())
        return Recorded(vector, [*self.card.hosts, *filter(None, given)], answers=answers, always=always)

    async def read(
        self,
        vector: PollVector,
        what: str,
        *,
        answers: Mapping[int, Says] | None = None,
        always: Says | None = None,
        wanted: Sequence[Wanted] | None = None,
        secrets: Secrets | None = None,
        memory: dict[str, Any] | None = None,
    ) -> Told:
        """Poll once; whatever comes of it is sound, or an allowed failure, or a broken rule."""
        client = self.client(vector, answers, always)
        asked = tuple(vector.wanted if wanted is None else wanted)
        kept = deepcopy(dict(vector.memory)) if memory is None else memory
        asker = self.asker(vector, client, secrets, kept)
        results: tuple[Page | Exception, ...]
        try:
            if vector.together:
                results = await self._together(asker, asked, what)
            else:
                results = (await self.connector.poll(asker, asked[0]),)
        except (Unanswered, Expired, Withdrawn) as failure:
            results = (failure,) * len(asked)
        except Exception as error:  # noqa: BLE001 - that nothing else leaves it is the rule
            broken(
                f"poll raised {error!r} for {what}",
                "raise Unanswered (connectors.client.Garbled) for whatever is not a sound and complete page",
            )
        for one, result in zip(asked, results, strict=True):
            if not isinstance(result, Exception):
                self.judge(one, result, what)
        if client.door.elsewhere:
            broken(
                f"{what}: {client.door.elsewhere[0]!r} was asked, which is not on the card",
                "follow an address that an answer names only if it is on the platform's own host: it gets the token",
            )
        return Told(results=results, client=client, memory=kept)

    async def _together(self, asker: Asker, asked: tuple[Wanted, ...], what: str) -> tuple[Page | Exception, ...]:
        if not isinstance(self.connector, PollingTogether):
            broken(f"{what} is about several accounts", "give the connector poll_together, or record single polls")
        results = tuple(await self.connector.poll_together(asker, asked))
        if len(results) != len(asked):
            broken(f"poll_together gave {len(results)} results for {len(asked)} accounts", "give one for each")
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, tuple(FAILURES.values())):
                broken(f"poll_together gave {result!r} for {what}", "give Unanswered, Expired or Withdrawn")
        return results

    async def ask_still(self, vector: PollVector, like: KnownLike, what: str, client: Recorded) -> Still | Exception:
        """Ask about one like."""
        asker = self.asker(vector, client, None, deepcopy(dict(vector.memory)))
        try:
            word = await self.connector.still(asker, vector.wanted[0].grant, like)
        except (Unanswered, Expired, Withdrawn) as failure:
            return failure
        except Exception as error:  # noqa: BLE001 - that nothing else leaves it is the rule
            broken(f"still raised {error!r} for {what}", "raise Unanswered where the platform gives no usable answer")
        if word not in get_args(Still):
            broken(f"still says {word!r} for {what}", f"say one of {', '.join(get_args(Still))}")
        return word

    def asker(self, vector: PollVector, client: Recorded, secrets: Secrets | None, memory: dict[str, Any]) -> Asker:
        """What the connector asks with."""
        return Asker(
            client=client,
            secrets=vector.secrets if secrets is None else secrets,
            settings=vector.settings,
            clock=lambda: vector.at,
            memory=memory,
        )

    def judge(self, wanted: Wanted, page: Page, what: str) -> None:
        """A page is fit for the hub; AssertionError if not."""
        if not isinstance(page, Page) or not isinstance(page.likes, tuple) or not isinstance(page.besides, tuple):
            broken(f"{what}: poll gave {type(page).__name__}", "return a Page whose likes and besides are tuples")
        for like in page.likes:
            if not isinstance(like, Liked):
                broken(f"{what}: {type(like).__name__} is among the likes", "say Liked; the hub finds out unlikes")
            if like.by != wanted.account:
                broken(f"{what}: a like is by {like.by}, wanted was {wanted.account}", "say by=wanted.account")
            sound(self.card, like, what)
        facts = [fact(like) for like in page.likes]
        if len(set(facts)) < len(facts):
            broken(f"{what}: the page lists one like twice", "keep one of two equal entries, or refuse the page")
        for native_id in page.besides:
            if not isinstance(native_id, str) or not 0 < len(native_id) <= 500 or _unkept(native_id):
                broken(f"{what}: besides names {str(native_id)[:40]!r}", "give native ids of 1 to 500 characters")
        for name in ("cursor", "more"):
            mark = getattr(page, name)
            if mark is not None and (not isinstance(mark, str) or len(mark) > _LONGEST_MARK or _unkept(mark)):
                broken(f"{what}: {name} is {str(mark)[:40]!r}", f"give a text of at most {_LONGEST_MARK} characters")
        if page.more is not None and page.more == wanted.mark.page:
            broken(f"{what}: the page leads on to itself", "refuse a next page that is the present one")
        if page.proves not in get_args(Proof):
            broken(f"{what}: proves is {page.proves!r}", f"say one of {', '.join(get_args(Proof))}")
        if page.total is not None and (type(page.total) is not int or not 0 <= page.total < 2**63):
            broken(f"{what}: total is {str(page.total)[:40]!r}", "give the platform's own count, or None")


def listed(page: Page) -> int:
    """How many entries a page shows."""
    return len(page.likes) + len(page.besides)


def canaried(wanted: Wanted, word: str) -> Wanted:
    """The same with an access of its own, which must not be told."""
    if wanted.grant is None:
        return wanted
    grant = wanted.grant
    return replace(
        wanted,
        grant=replace(
            grant,
            access_token=f"{word}-access",
            refresh_token=grant.refresh_token and f"{word}-refresh",
            token_secret=grant.token_secret and f"{word}-secret",
        ),
    )


def _unkept(text: str) -> bool:
    return "\x00" in text or any("\ud800" <= mark <= "\udfff" for mark in text)
