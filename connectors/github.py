"""GitHub: a star on a public repository is a like, and the repository's owner is its creator.

Stars reach the hub by the `star` event of a GitHub App (or of a hook on the operator's own repositories). The
repository's and the people's numeric ids never change; names and addresses do, and are decoration.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#star
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import addresses
from connectors.base import Answer, Card, Delivery, Light, Rejected, Secret, Secrets, Unreadable, read_json
from core.events import AccountRef, Event, Liked, Revoked, ThingRef, Unliked

_SECRET = "webhook_secret"  # noqa: S105 - the setting's name
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
    abilities=frozenset({"likes", "unlikes", "resolves"}),
    what_counts="A star on a public repository with the GitHub App; unstarring takes it back.",
    creator="The repository's owner, a person or an organisation.",
    secrets=(
        Secret(
            name=_SECRET,
            how="The secret you type into the App's Webhook section; make it with `openssl rand -hex 32`. "
            "Whoever knows it can forge stars: never give it to a repository's owner.",
        ),
    ),
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
