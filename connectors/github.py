"""GitHub: a star on a public repository is a like, and the repository's owner is its creator.

Stars reach the hub by the `star` event of a GitHub App (or of a hook on the operator's own repositories), at once, and
from the public lists of linked accounts, which are read for all other repositories. What these cannot tell is asked:
whether a star stands after all, and whose repository an address is. The repository's and the people's numeric ids never
change; names and addresses do, and are decoration.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#star
https://docs.github.com/en/rest/activity/starring
https://docs.github.com/en/graphql/reference/objects#user
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from connectors import addresses
from connectors.base import (
    Addresses,
    Answer,
    Asker,
    Card,
    Checked,
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
from connectors.client import Garbled, Limited, Response, Unanswered, Unreachable
from connectors.linking import Admission, Departure, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from connectors.outgoing import rates
from connectors.polling import Page, Plan, Proof, Still, Wanted
from connectors.reading import moment, plain_text
from core.events import AccountRef, Event, Liked, Revoked, ThingRef, Unliked

API = "https://api.github.com"
"""Where GitHub answers questions."""

SITE = "https://github.com"
"""Where people sign in."""

_SECRET = "webhook_secret"  # noqa: S105 - the setting's name
_TOKEN = "token"  # noqa: S105 - the setting's name
_CLIENT_ID, _CLIENT_SECRET = "client_id", "client_secret"
_PER_PAGE = 100
_PAGES = 10
"""How far a list of stars is read; a star further down stays in doubt rather than being called gone."""
_LARGEST_ANSWER = 8 * 1_048_576
"""Bytes; GitHub describes a repository in 6 KB or more, and a page has a hundred of them."""
_LARGEST_ID = 2**63 - 1
_TOGETHER = 20
"""Accounts a question; GitHub gives up a question after 10 seconds and takes the points all the same."""
_NEWEST = 10
"""Stars that a first page shows: seldom does anybody star more between two readings."""
_POINTS = "graphql"
"""GraphQL is counted in points, apart from the REST questions of the same token."""
_NODE_ID = re.compile(r"[A-Za-z0-9_=+/-]{1,100}")
_PLACE = re.compile(r"[A-Za-z0-9_=+/:-]{1,200}")
"""A place in a list, as GitHub names it."""
_QUERY = """query($ids:[ID!]!,$first:Int!,$after:String){
nodes(ids:$ids){...on User{id databaseId
starredRepositories(first:$first,after:$after,orderBy:{field:STARRED_AT,direction:DESC}){totalCount isOverLimit
pageInfo{hasNextPage endCursor}
edges{starredAt node{databaseId nameWithOwner url isPrivate
owner{__typename login ...on User{databaseId} ...on Organization{databaseId}}
repositoryTopics(first:10){nodes{topic{name}}} primaryLanguage{name}}}}}}
rateLimit{cost remaining resetAt}}"""
"""About two points for 20 accounts: https://docs.github.com/en/graphql/overview/rate-limits-and-node-limits-for-the-graphql-api"""
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
    abilities=frozenset({"likes", "unlikes", "linking", "resolves", "current"}),
    what_counts="A star on a public repository, at once with the GitHub App, else within minutes; unstarring takes it "
    "back.",
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
            how="Reads the stars of linked accounts on all public repositories; without it only the App's are counted. "
            "Also lets the hub ask GitHub 5,000 times an hour instead of 60 (stars in doubt, owners of repositories): "
            "a fine-grained token for public repositories, read-only, with no permission at all, from "
            "https://github.com/settings/personal-access-tokens/new.",
            required=False,
        ),
        Secret(
            name=_CLIENT_ID,
            how="Without it and client_secret nobody can link by signing in at GitHub, and accounts are bound by the "
            "operator. It is on the App's page, About.",
            required=False,
        ),
        Secret(
            name=_CLIENT_SECRET,
            how="The App's page, Client secrets, Generate a new client secret; GitHub shows it once.",
            required=False,
        ),
    ),
    needs={"linking": (_CLIENT_ID, _CLIENT_SECRET), "polling": (_TOKEN,)},
    settings={
        "api": f"where GitHub answers questions; {API} if left out",
        "site": f"where people sign in; {SITE} if left out",
        "tokens": f"where their codes are exchanged; {SITE} if left out",
    },
    hosts=("api.github.com", "github.com"),
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
        "Callback URL: {callback}. Leave `Request user authorization (OAuth) during installation` off.",
        "Webhook: active, address {address}, and the secret that you also put into the hub's settings.",
        "Permissions: Repository, Metadata, read-only. Subscribe to the event Star and to nothing else.",
        "Where can it be installed: any account. Creators install it on their repositories.",
        "Put the Client ID and a new client secret (the App's page, About) into the settings: members link with them.",
        "Make a token as the setting says: with it the stars of linked accounts are read on all public repositories.",
        "Do not hand the secret to creators for a hook of their own: who knows it can forge stars.",
        "For your own repositories a hook does as well: Settings, Webhooks, content type application/json.",
    ),
    limits="At once with the App, else within 5 minutes to 2 hours. 5,000 points an hour are enough for some 4,000 "
    "busy accounts every 5 minutes, idle ones every 2 hours.",
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


_PLAN = Plan(
    often=timedelta(minutes=5),
    seldom=timedelta(hours=2),
    whole=timedelta(hours=12),
    newest_first=True,
    needs_grant=False,
    together=_TOGETHER,
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

    @property
    def plan(self) -> Plan:
        """How linked accounts are read."""
        return _PLAN

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

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """A page of an account's public stars.

        An empty list proves nothing: it is what a private profile shows, too.
        """
        after = wanted.mark.page
        if after is not None and not _PLACE.fullmatch(after):
            raise Unanswered("the mark is no place in a list of GitHub's; reading begins anew")
        node = await self._node(asker, wanted)
        first = _PER_PAGE if wanted.mark.whole or after is not None else _NEWEST
        (result,) = await self._stars(asker, [(wanted, node)], first=first, after=after)
        if isinstance(result, Exception):
            raise result
        return result

    async def poll_together(self, asker: Asker, wanted: Sequence[Wanted]) -> Sequence[Page | Exception]:
        """The first pages of several accounts, fewer at once after GitHub could not bring so many in time."""
        found: dict[int, tuple[Wanted, str]] = {}
        results: dict[int, Page | Exception] = {}
        for number, each in enumerate(wanted):
            try:
                if each.mark.page is not None or each.mark.whole:
                    results[number] = await self.poll(asker, each)
                else:
                    found[number] = each, await self._node(asker, each)
            except Unanswered as failure:
                results[number] = failure
        waiting = list(found)
        while waiting:
            size = max(1, min(asker.memory.get("together", _TOGETHER), _TOGETHER))
            some = waiting[:size]
            try:
                pages = await self._stars(asker, [found[number] for number in some], first=_NEWEST, after=None)
            except Unreachable as failure:
                if failure.status not in (502, 504) or len(some) == 1:
                    results.update(dict.fromkeys(waiting, failure))
                    break
                asker.memory["together"] = len(some) // 2
                continue
            except Unanswered as failure:
                results.update(dict.fromkeys(waiting, failure))
                break
            results.update(zip(some, pages, strict=True))
            if len(some) == size:
                asker.memory["together"] = size + 1
            waiting = waiting[len(some) :]
        return [results[number] for number in range(len(wanted))]

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Whether a star stands, by `current`; gone is a repository that cannot be seen any more."""
        found = await self.current(asker, like)
        if found is not None:
            return "liked" if found.liked else "unliked"
        answer = await self._ask(asker, f"/repositories/{like.thing.native_id}")
        if answer is None:
            return "gone"
        repository = _object(answer)
        hidden = repository is not None and repository.get("private") is True
        return "gone" if hidden and repository is not None and _is(repository, like.thing.native_id) else "unknown"

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """GitHub's page, where the person chooses the account; no scope is asked for, since stars are public."""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """Whose account it is. The token is given back at once: nothing that the hub does needs it."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        try:
            answer = await asker.client.request(
                "GET",
                f"{self._base(asker)}/user",
                platform="github",
                # Each token has limits of its own.
                account=hashlib.sha256(tokens.access_token.encode()).hexdigest()[:16],
                headers=_HEADERS | {"authorization": f"Bearer {tokens.access_token}"},
            )
            if answer.status == 401:
                raise NotAdmitted("GitHub does not know this sign-in any more. Start again from the bot.")
            if answer.status != 200:
                raise Unanswered(f"GitHub does not say who signed in ({answer.status}); sign in again later")
            user = _object(answer)
            if user is None or user.get("type") != "User":
                raise Garbled("GitHub does not say which person signed in; sign in again later")
            return Admission(account=_read_account(user))
        finally:
            with suppress(Unanswered):
                await self._give_back(asker, tokens.access_token)

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """Nothing is kept, so nothing is refreshed."""
        raise Withdrawn("the hub keeps no access to GitHub accounts")

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """End a token."""
        await self._give_back(asker, grant.access_token)

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Whether GitHub takes the token and the client secret: by asking how much may be asked, which is free."""
        checked = []
        if token := asker.secret(_TOKEN):
            answer = await self._limits(asker, f"Bearer {token}")
            ok = answer.status == 200
            checked.append(
                Checked(
                    what="token",
                    ok=ok,
                    text="GitHub takes it" if ok else f"GitHub refuses it ({answer.status})",
                    remedy="" if ok else "make a new one at https://github.com/settings/personal-access-tokens/new",
                )
            )
        else:
            checked.append(
                Checked(
                    what="token",
                    ok=False,
                    text="not set: the stars of linked accounts are not read, the App's only",
                    remedy="make one without permissions at https://github.com/settings/personal-access-tokens/new and "
                    "set connectors.github.token",
                )
            )
        if asker.secret(_CLIENT_ID) and asker.secret(_CLIENT_SECRET):
            answer = await self._limits(asker, _basic(asker.secret(_CLIENT_ID), asker.secret(_CLIENT_SECRET)))
            ok = answer.status == 200
            checked.append(
                Checked(
                    what="client_secret",
                    ok=ok,
                    text=f"GitHub takes it; people come back to {addresses.callback}"
                    if ok
                    else f"GitHub refuses client_id and client_secret ({answer.status})",
                    remedy="" if ok else "copy the Client ID and generate a new client secret on the App's page",
                )
            )
        else:
            checked.append(
                Checked(
                    what="client_secret",
                    ok=False,
                    text="client_id or client_secret is not set: nobody can link by signing in",
                    remedy=f"put {addresses.callback} as Callback URL on the App's page and set both from there",
                )
            )
        return checked

    def _base(self, asker: Asker) -> str:
        return asker.address("api", self._api)

    async def _limits(self, asker: Asker, authorization: str) -> Response:
        # https://docs.github.com/en/rest/rate-limit/rate-limit: it does not count itself
        return await asker.client.request(
            "GET",
            f"{self._base(asker)}/rate_limit",
            platform="github",
            account="checking",
            headers=_HEADERS | {"authorization": authorization},
        )

    async def _give_back(self, asker: Asker, token: str) -> None:
        """End one token, not the App's authorization: ending that is the person's own word, and is told as such."""
        client_id, client_secret = _application(asker)
        await asker.client.request(
            "DELETE",
            f"{self._base(asker)}/applications/{client_id}/token",
            platform="github",
            account="application",
            headers=_HEADERS | {"authorization": _basic(client_id, client_secret)},
            json={"access_token": token},
        )

    async def _node(self, asker: Asker, wanted: Wanted) -> str:
        """By which id GraphQL knows the account: from the mark, from memory, or asked for by its number."""
        if not asker.secret(_TOKEN):
            raise Unanswered(
                "the stars of linked accounts are not read without connectors.github.token; set it", retry_after=3600
            )
        number = wanted.account.account_id
        nodes: dict[str, str | None] = asker.memory.setdefault("nodes", {})
        if (node := nodes.get(number)) is not None:
            return node
        cursor = wanted.mark.cursor
        # None was put there when GraphQL did not know the id any more.
        if number not in nodes and cursor is not None and _NODE_ID.fullmatch(cursor):
            return cursor
        user = _object(await self._ask(asker, f"/user/{number}"))
        if user is None:
            raise Unanswered("GitHub has no such account any more, or none that can be seen")
        node = user.get("node_id")
        if not _is(user, number) or not isinstance(node, str) or not _NODE_ID.fullmatch(node):
            raise Garbled("GitHub's answer about the account is not as documented")
        nodes[number] = node
        return node

    async def _stars(
        self, asker: Asker, accounts: Sequence[tuple[Wanted, str]], *, first: int, after: str | None
    ) -> list[Page | Exception]:
        """A page for each account, or why there is none; Unanswered where there is nothing for any."""
        answer = await asker.client.request(
            "POST",
            f"{self._base(asker)}/graphql",
            platform="github",
            account=_POINTS,
            headers=_HEADERS | {"authorization": f"Bearer {asker.secret(_TOKEN)}"},
            json={
                "query": _QUERY,
                "variables": {"ids": [node for _, node in accounts], "first": first, "after": after},
            },
            largest=_LARGEST_ANSWER,
            # Too large a question is not put again as it is.
            repeatable=len(accounts) == 1,
        )
        nodes, troubled = _answered(asker, answer, len(accounts))
        results: list[Page | Exception] = []
        for number, ((wanted, node), user) in enumerate(zip(accounts, nodes, strict=True)):
            try:
                if user is None:
                    asker.memory.setdefault("nodes", {})[wanted.account.account_id] = None
                    raise Unanswered("GitHub does not find the account by the id that it had; it is asked for anew")
                page = _listed(wanted, node, user, first=first, after=after)
                asker.memory.setdefault("nodes", {})[wanted.account.account_id] = node
                results.append(replace(page, proves="nothing") if number in troubled else page)
            except Unanswered as failure:
                results.append(failure)
            except Unreadable as unreadable:
                results.append(Garbled(f"a list of stars is not as documented: {unreadable}"))
        return results

    async def _login(self, asker: Asker, account_id: str) -> str | None:
        """The name under which an account's list is found today; None if there is no such account any more."""
        user = _object(await self._ask(asker, f"/user/{account_id}"))
        login = plain_text(user.get("login")) if user is not None and _is(user, account_id) else None
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
        headers = _HEADERS | {"accept": accept}
        if token := asker.secret(_TOKEN):
            headers["authorization"] = f"Bearer {token}"
        answer = await asker.client.request(
            "GET",
            f"{self._base(asker)}{path}",
            platform="github",
            headers=headers,
            params=params,
            largest=_LARGEST_ANSWER,
        )
        _taken(answer)
        if answer.status in (404, 410, 451):
            return None
        if answer.status != 200:
            raise Unanswered(f"GitHub answers {answer.status}; ask again later")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page of somebody's stars, the newest first: when, and which repository."""

    stars: tuple[tuple[datetime, str], ...]
    leads_on: bool
    """Whether GitHub says that there is another page."""


_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


def _taken(answer: Response) -> None:
    """Unanswered if GitHub refuses the token or, for now, everything."""
    if answer.status == 401:
        raise Unanswered("GitHub does not accept connectors.github.token; put a valid one there or remove it")
    if answer.status == 403:
        # Limits that are not said in headers: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
        raise Unanswered("GitHub refuses to answer for now (403)", retry_after=60)


def _application(asker: Asker) -> tuple[str, str]:
    """The App's client id and secret."""
    client_id, client_secret = asker.secret(_CLIENT_ID), asker.secret(_CLIENT_SECRET)
    if not client_id or not client_secret:
        raise Unanswered("nobody can sign in without connectors.github.client_id and client_secret; set both")
    return client_id, client_secret


def _flow(asker: Asker) -> CodeFlow:
    client_id, client_secret = _application(asker)
    return CodeFlow(
        platform="github",
        title="GitHub",
        client_id=client_id,
        client_secret=client_secret,
        authorize=f"{asker.address('site', SITE)}/login/oauth/authorize",
        tokens=f"{asker.address('tokens', SITE)}/login/oauth/access_token",
        pkce=True,
        more={"prompt": "select_account"},
    )


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _answered(asker: Asker, answer: Response, many: int) -> tuple[list[Any], set[int]]:
    """The nodes of a GraphQL answer, None for one that is not found, and which of them came with errors inside.

    An error's status is 200, also when the points are used up:
    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
    """
    _taken(answer)
    content = answer.json() if answer.status == 200 else None
    if not isinstance(content, dict):
        raise Unanswered(f"GitHub gives no answer to a GraphQL question ({answer.status}); ask again later")
    errors = content.get("errors", [])
    if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
        raise Garbled("GitHub's errors are not as documented")
    if any(error.get("type") in ("RATE_LIMITED", "RATE_LIMIT") for error in errors):
        told = rates.read(answer.headers, asker.clock())
        wait = told.retry_after or told.resets_in or 60.0
        raise Limited(f"GitHub's points are used up for {wait:.0f} s", retry_after=wait)
    match content:
        case {"data": {"nodes": list(nodes)}} if len(nodes) == many:
            pass
        case _:
            raise Unanswered("GitHub could not carry out a GraphQL question; ask again later")
    troubled = set()
    for error in errors:
        match error:
            case {"path": ["nodes", int(), "starredRepositories", "edges", int(), "node", *_]}:
                continue  # one repository, whose node shows what is left of it
            case {"path": ["nodes", int(number), *_]} if not isinstance(number, bool):
                troubled.add(number)
            case _:
                raise Unanswered("GitHub carried out only part of a GraphQL question; ask again later")
    return nodes, troubled


def _listed(wanted: Wanted, node: str, user: Any, *, first: int, after: str | None) -> Page:
    """A page of somebody's list of stars; Unreadable or Garbled if it is not sound."""
    number = wanted.account.account_id
    if not isinstance(user, dict) or user.get("id") != node or str(_number(user)) != number:
        raise Garbled("GitHub answers about another account")
    match user.get("starredRepositories"):
        case {
            "totalCount": int(total),
            "isOverLimit": bool(cut),
            "pageInfo": {"hasNextPage": bool(leads_on), "endCursor": place},
            "edges": list(edges),
        } if not isinstance(total, bool) and 0 <= total <= _LARGEST_ID:
            pass
        case _:
            raise Garbled("a list of stars is not as documented")
    if leads_on and (not isinstance(place, str) or not _PLACE.fullmatch(place) or place == after or not edges):
        raise Garbled("a list of stars does not say where it goes on")
    likes: list[Liked] = []
    besides: list[str] = []
    times: list[datetime] = []
    for edge in edges:
        match edge:
            case {"starredAt": str(at), "node": None}:
                # A repository that was taken down. Which one is not said, but it is there and in the count.
                besides.append(f"hidden {len(times)}: {_starred_time(at):%Y-%m-%dT%H:%M:%SZ}")
            case {"starredAt": str(at), "node": dict(repository)}:
                if repository.get("isPrivate") is False:
                    likes.append(_star(wanted.account, repository, at))
                else:
                    besides.append(str(_number(repository)))
            case _:
                raise Garbled("a star is not as documented")
        times.append(_starred_time(at))
    listed = [*(like.thing.native_id for like in likes), *besides]
    if len(set(listed)) < len(listed) or len(edges) > first or len(edges) > total:
        raise Garbled("a list of stars has more entries than it can have")
    if times != sorted(times, reverse=True):
        raise Garbled("a list of stars is not the newest first")
    short = len(edges) < first if leads_on else after is None and len(edges) < total
    proves: Proof = "nothing" if cut or short or not total else "everything"
    return Page(
        likes=tuple(likes),
        besides=tuple(besides),
        cursor=node,
        more=place if leads_on else None,
        proves=proves,
        total=total,
    )


def _star(by: AccountRef, repository: dict[str, Any], starred_at: str) -> Liked:
    """The same like as the webhook's: the same numbers, the same time."""
    url = repository.get("url")
    page = addresses.canonical(url) if isinstance(url, str) else None
    if page is None or not page.startswith("https://github.com/"):
        raise Unreadable("a repository's url is not on github.com")
    owner = repository.get("owner")
    if not isinstance(owner, dict):
        raise Unreadable("a repository has no owner")
    login = plain_text(owner.get("login"))
    return Liked(
        by=by,
        thing=ThingRef(
            platform="github",
            native_id=str(_number(repository)),
            url=page,
            title=plain_text(repository.get("nameWithOwner")),
            tags=_tags(repository),
        ),
        author=AccountRef(
            platform="github",
            account_id=str(_number(owner)),
            handle=login,
            url=f"https://github.com/{login}" if login and _OWNER.fullmatch(login) else None,
        ),
        at=_starred_time(starred_at),
    )


def _tags(repository: dict[str, Any]) -> tuple[str, ...]:
    """Topics and language; decoration, so that what is not as documented is left out."""
    words: list[Any] = []
    match repository.get("repositoryTopics"):
        case {"nodes": list(nodes)}:
            words += [node["topic"]["name"] for node in nodes if _has_topic(node)]
    match repository.get("primaryLanguage"):
        case {"name": str(name)}:
            words.append(name.lower())
    return tuple(dict.fromkeys(word for each in words if (word := plain_text(each))))


def _has_topic(node: Any) -> bool:
    match node:
        case {"topic": {"name": str()}}:
            return True
    return False


def _number(holder: Mapping[str, Any]) -> int:
    """GraphQL's name for the numeric id."""
    return int(_id({"id": holder.get("databaseId")}))


def _read_account(user: Any) -> AccountRef:
    """An account from a REST answer; Garbled if it is none."""
    try:
        return _account(user)
    except Unreadable as unreadable:
        raise Garbled(str(unreadable)) from None


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
    language = plain_text(repository.get("language"))
    tags = [*(topics if isinstance(topics, list) else ()), language.lower() if language else None]
    return ThingRef(
        platform="github",
        native_id=_id(repository),
        url=page,
        title=plain_text(repository.get("full_name")),
        tags=tuple(dict.fromkeys(tag for each in tags if (tag := plain_text(each)))),
    )


def _account(user: Any) -> AccountRef:
    login = plain_text(user.get("login")) if isinstance(user, dict) else None
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
    return _starred_time(listed.get("starred_at") if isinstance(listed, dict) else None)


def _starred_time(text: Any) -> datetime:
    at = _time(text)
    if at is None:
        raise Unreadable("a star without its time")
    return at


def _time(text: Any) -> datetime | None:
    """ISO 8601 with a zone, as GitHub writes it; None stays None (then the time of receipt decides)."""
    at = moment(text)
    if at is None and text is not None:
        raise Unreadable("starred_at is not a time with a zone")
    return at


connector = GitHub()
