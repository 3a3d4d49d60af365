"""GitHub: a star on a public repository is a like, and the repository's owner is its creator.

Stars reach the hub by the `star` event of a GitHub App (or of a hook on the operator's own repositories). What
these cannot tell is asked: whether a star stands after all, and whose repository an address is. The repository's
and the people's numeric ids never change; names and addresses do, and are decoration.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#star
https://docs.github.com/en/rest/activity/starring
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import addresses
from connectors.base import (
    Answer,
    Asker,
    Card,
    Currently,
    Delivery,
    KnownLike,
    Light,
    Rejected,
    Secret,
    Secrets,
    Unreadable,
    read_json,
)
from connectors.client import Response, Unanswered
from core.events import AccountRef, Event, Liked, Revoked, ThingRef, Unliked

API = "https://api.github.com"
"""Where GitHub answers questions."""

_SECRET = "webhook_secret"  # noqa: S105 - the setting's name
_TOKEN = "token"  # noqa: S105 - the setting's name
_PER_PAGE = 100
_PAGES = 10
"""How far a list of stars is read; a star further down stays in doubt rather than being called gone."""
_LARGEST_ANSWER = 8 * 1_048_576
"""Bytes; GitHub describes a repository in 6 KB or more, and a page has a hundred of them."""
_LARGEST_ID = 2**63 - 1
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}[A-Za-z0-9])?(?:_[A-Za-z0-9]+)?")
_REPOSITORY = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")

# First parts of github.com's own pages, which look like an owner's name but are nobody's.
_NOT_OWNERS = frozenset(
    {
        "about",
        "apps",
        "codespaces",
        "collections",
        "contact",
        "customer-stories",
        "dashboard",
        "enterprise",
        "events",
        "explore",
        "features",
        "issues",
        "join",
        "login",
        "logout",
        "marketplace",
        "new",
        "notifications",
        "organizations",
        "orgs",
        "pricing",
        "pulls",
        "readme",
        "search",
        "security",
        "sessions",
        "settings",
        "signup",
        "site",
        "sponsors",
        "stars",
        "team",
        "topics",
        "trending",
        "users",
    }
)

# What a `github_app_authorization` body may hold; an alert can be "revoked" too, but brings its own object.
_REVOCATION_KEYS = frozenset({"action", "sender", "installation", "organization", "enterprise"})

_CARD = Card(
    platform="github",
    title="GitHub",
    route="webhook",
    abilities=frozenset({"likes", "unlikes", "resolves", "current"}),
    what_counts="A star on a public repository with the GitHub App; unstarring takes it back.",
    creator="The repository's owner, a person or an organisation.",
    account_id_pattern="[0-9]+",
    account_id_how="GitHub's account ids are numbers: https://api.github.com/users/NAME shows a name's id",
    secrets=(
        Secret(
            name=_SECRET,
            how="The secret you type into the App's Webhook section; make it with `openssl rand -hex 32`. "
            "Whoever knows it can forge stars: never give it to a repository's owner.",
        ),
        Secret(
            name=_TOKEN,
            how="Lets the hub ask GitHub 5,000 times an hour instead of 60 (stars in doubt, owners of repositories): "
            "a fine-grained token for public repositories, read-only, with no permission at all, from "
            "https://github.com/settings/personal-access-tokens/new.",
            required=False,
        ),
    ),
    hosts=("api.github.com",),
    largest_body=1_048_576,
    success_status=202,
    retries="None by itself. For 3 days failed deliveries can be sent again by hand (App settings, Advanced) "
    "or through GitHub's API; the hub takes each one once.",
    # GitHub signs the body alone. The delivery's id and the event's name travel in headers that anyone could
    # change, so neither is used for anything here.
    ids_signed=False,
    knows_like_time=True,
    # `deleted` carries no time, so stars and unstars cannot be put in order by what they say.
    has_order=False,
    setup=(
        "Open https://github.com/settings/apps/new (or the same page in an organisation's settings).",
        "Webhook: active, address {address}, and the secret that you also put into the hub's settings.",
        "Permissions: Repository, Metadata, read-only. Subscribe to the event Star and to nothing else.",
        "Where can it be installed: any account. Creators install it on their repositories.",
        "Do not hand the secret to creators for a hook of their own: who knows it can forge stars.",
        "For your own repositories a hook does as well: Settings, Webhooks, content type application/json.",
    ),
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="Forbids starring by machines, and activity driven by rewards such as tokens, credits or "
            "gifts. Here nobody is rewarded for starring (who stars pays, from a fixed budget), but projects "
            "could take to begging for stars.",
            url="https://docs.github.com/en/site-policy/acceptable-use-policies/github-acceptable-use-policies",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="accounts",
            colour="green",
            clause="Personal information may be used only for what its user agreed to, and complaints "
            "must be answered. The hub counts the stars of linked accounts only.",
            url="https://docs.github.com/en/site-policy/acceptable-use-policies/github-acceptable-use-policies",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://docs.github.com/en/webhooks/webhook-events-and-payloads#star",
)


class GitHub:
    """The connector; it has no state."""

    def __init__(self, api: str = API) -> None:
        """``api``: where questions go; only tests change it."""
        self._api = api

    @property
    def card(self) -> Card:
        """The facts about GitHub."""
        return _CARD

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """GitHub asks nothing: its `ping` is an ordinary delivery without events."""
        return None

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The SHA-256 of the body, if X-Hub-Signature-256 is its HMAC under one of the secrets.

        Not X-GitHub-Delivery, which nobody signed: a captured request under a new id is the same request.
        Two different acts never share a body, since the repository's `updated_at` moves with every one.
        https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        """
        sent = delivery.header("x-hub-signature-256")
        if not _SIGNATURE.fullmatch(sent):
            raise Rejected("X-Hub-Signature-256 is not sha256= and 64 lower-case hexadecimal digits")
        # An empty secret would be one that everybody knows. All are tried, so that time tells nothing.
        matches = [
            hmac.compare_digest(f"sha256={hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()}", sent)
            for secret in secrets.get(_SECRET, ())
            if secret
        ]
        if not any(matches):
            raise Rejected("X-Hub-Signature-256 does not fit the body under any of the secrets")
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """A star is told by the shape of the body alone, since X-GitHub-Event is not signed.

        Empty for everything else: `watch` (the same click under its old name), `ping`, forks, issues, ...
        """
        if delivery.body.startswith(b"payload="):
            raise Unreadable("a form instead of JSON: set the hook's content type to application/json")
        body = read_json(delivery.body)
        match body:
            case {
                "action": "created",
                "starred_at": starred_at,
                "repository": dict(repository),
                "sender": sender,
            }:
                return _starred(repository, sender, starred_at)
            case {"action": "deleted", "starred_at": None, "repository": dict(repository), "sender": sender}:
                # Also of a repository that has become private since: what was taken back is not charged.
                return (Unliked(by=_account(sender), thing=_thing(repository)),)
            case {"action": "created" | "deleted", "starred_at": _}:
                raise Unreadable("looks like a star, but repository, sender or starred_at is not as documented")
            case {"action": "revoked", "sender": sender} if body.keys() <= _REVOCATION_KEYS:
                return (Revoked(by=_account(sender)),)
        return ()

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The front page of a repository, under the one address that GitHub's own `html_url` has.

        Its id and its owner's cannot be known without asking GitHub, so it is a thing of the web by that
        address, without an author: the star's thing has the same address, and the core joins the two by it.
        """
        page = addresses.canonical(url)
        if page is None:
            return None
        parts = urlsplit(page)
        names = parts.path.strip("/").split("/")
        if parts.hostname not in ("github.com", "www.github.com") or parts.port is not None or len(names) != 2:
            return None
        owner, name = names[0], names[1].removesuffix(".git")
        if owner.lower() in _NOT_OWNERS or not _OWNER.fullmatch(owner) or not _REPOSITORY.fullmatch(name):
            return None
        address = f"https://github.com/{owner}/{name}"
        return ThingRef(platform="web", native_id=address, url=address, title=f"{owner}/{name}"), None

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Whether the account's public list of stars has the repository.

        The list is the newest first, so it is complete as far as it matters once it has come to a star that is
        older than the one in question. An empty one is what a private profile shows, and a repository that was
        deleted or hidden has left every list: neither says anything. What changes under way says nothing either.
        """
        login = await self._login(asker, like.by.account_id)
        if login is None:
            return None
        found = await self._listed(asker, login, like)
        if found is None or found.liked:
            return found
        repository = _object(await self._ask(asker, f"/repositories/{like.thing.native_id}"))
        if repository is None or repository.get("private") is not False or not _is(repository, like.thing.native_id):
            return None
        # The list is by login: had it changed hands meanwhile, we would have read somebody else's.
        return found if await self._login(asker, like.by.account_id) == login else None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The public repository at an address, also at one that it had before (GitHub leads on to the new one)."""
        named = self.resolve(url)
        if named is None:
            return None
        repository = _object(await self._ask(asker, f"/repos{urlsplit(named[0].url).path}"))
        if repository is None or repository.get("private") is not False:
            return None
        try:
            return _thing(repository), _account(repository.get("owner"))
        except Unreadable:
            return None

    async def _login(self, asker: Asker, account_id: str) -> str | None:
        """The name under which an account's list is found today; None if there is no such account any more."""
        user = _object(await self._ask(asker, f"/user/{account_id}"))
        login = _text(user.get("login")) if user is not None and _is(user, account_id) else None
        return login if login is not None and _OWNER.fullmatch(login) else None

    async def _listed(self, asker: Asker, login: str, like: KnownLike) -> Currently | None:
        pages: list[_Page] = []
        promised = True
        for number in range(1, _PAGES + 1):
            page = await self._page(asker, login, number)
            if page is None or (not page.stars and promised):
                return None
            for at, repository in page.stars:
                if repository == like.thing.native_id:
                    return Currently(liked=True, since=at)
            pages.append(page)
            times = [at for each in pages for at, _ in each.stars]
            if times != sorted(times, reverse=True):
                return None
            if like.since is not None and times[-1] < like.since:
                break
            promised = page.leads_on
            # A full page without a word about the next one may have lost that word on its way.
            if not promised and len(page.stars) < _PER_PAGE:
                break
        else:
            return None
        # A star that was taken off an earlier page meanwhile has moved another one up, unseen.
        for number, page in enumerate(pages[:-1], 1):
            if await self._page(asker, login, number) != page:
                return None
        return Currently(liked=False)

    async def _page(self, asker: Asker, login: str, number: int) -> _Page | None:
        params = {"sort": "created", "direction": "desc", "per_page": str(_PER_PAGE), "page": str(number)}
        answer = await self._ask(
            asker, f"/users/{login}/starred", params=params, accept="application/vnd.github.star+json"
        )
        listed = answer.json() if answer is not None else None
        if answer is None or not isinstance(listed, list):
            return None
        try:
            stars = tuple((_star_time(each), _id(each.get("repo"))) for each in listed)
        except Unreadable:
            return None
        return _Page(stars=stars, leads_on='rel="next"' in answer.headers.get("link", ""))

    async def _ask(
        self,
        asker: Asker,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/vnd.github+json",
    ) -> Response | None:
        """GitHub's answer; None if it has none to this question. Unanswered if it does not answer us at all."""
        headers = {"accept": accept, "x-github-api-version": "2022-11-28"}
        token = next((each for each in asker.secrets.get(_TOKEN, ()) if each), None)
        if token is not None:
            headers["authorization"] = f"Bearer {token.decode()}"
        answer = await asker.client.request(
            "GET",
            f"{self._api}{path}",
            platform="github",
            headers=headers,
            params=params,
            largest=_LARGEST_ANSWER,
        )
        if answer.status == 401:
            raise Unanswered("GitHub does not accept connectors.github.token; put a valid one there or remove it")
        if answer.status == 403:
            # Limits that are not said in headers: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
            raise Unanswered("GitHub refuses to answer for now (403)", retry_after=60)
        return answer if answer.status == 200 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page of somebody's stars, the newest first: when, and which repository."""

    stars: tuple[tuple[datetime, str], ...]
    leads_on: bool
    """Whether GitHub says that there is another page."""


def _starred(repository: Mapping[str, Any], sender: Any, starred_at: Any) -> tuple[Event, ...]:
    liked = Liked(
        by=_account(sender),
        thing=_thing(repository),
        author=_account(repository.get("owner")),
        at=_time(starred_at),
    )
    # A private repository is a private room, and GitHub knows no admin's switch for it (money.md).
    return (liked,) if repository.get("private") is False else ()


def _thing(repository: Mapping[str, Any]) -> ThingRef:
    url = repository.get("html_url")
    page = addresses.canonical(url) if isinstance(url, str) else None
    if page is None or not page.startswith("https://github.com/"):
        # GitHub Enterprise numbers its people and repositories by itself: its 7 is not github.com's 7.
        raise Unreadable("repository.html_url is not on github.com; only github.com's own stars count")
    topics = repository.get("topics")
    language = _text(repository.get("language"))
    tags = [*(topics if isinstance(topics, list) else ()), language.lower() if language else None]
    return ThingRef(
        platform="github",
        native_id=_id(repository),
        url=page,
        title=_text(repository.get("full_name")),
        tags=tuple(dict.fromkeys(tag for each in tags if (tag := _text(each)))),
    )


def _account(user: Any) -> AccountRef:
    login = _text(user.get("login")) if isinstance(user, dict) else None
    return AccountRef(
        platform="github",
        account_id=_id(user),
        handle=login,
        # A bot's page is elsewhere (github.com/apps/...), and its login has brackets.
        url=f"https://github.com/{login}" if login and _OWNER.fullmatch(login) else None,
        is_bot=user.get("type") == "Bot",
    )


def _id(holder: Any) -> str:
    match holder:
        case {"id": int(number)} if not isinstance(number, bool) and 0 < number <= _LARGEST_ID:
            return str(number)
    raise Unreadable("a repository or an account has no numeric id")


def _is(holder: Mapping[str, Any], number: str) -> bool:
    try:
        return _id(holder) == number
    except Unreadable:
        return False


def _object(answer: Response | None) -> dict[str, Any] | None:
    value = answer.json() if answer is not None else None
    return value if isinstance(value, dict) else None


def _star_time(listed: Any) -> datetime:
    at = _time(listed.get("starred_at")) if isinstance(listed, dict) else None
    if at is None:
        raise Unreadable("a star without its time")
    return at


def _time(text: Any) -> datetime | None:
    """ISO 8601 with a zone, as GitHub writes it; None stays None (then the time of receipt decides)."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no zone")
        return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable("starred_at is not a time with a zone") from None


def _text(value: Any) -> str | None:
    """Decoration that every database can keep, or None: a name is never worth a dead letter."""
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None  # half of a surrogate pair, which JSON can spell
    return value


connector = GitHub()
