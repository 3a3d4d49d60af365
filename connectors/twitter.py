"""Twitter, which calls itself X: likes told by its Activity API, checked once a day, and posts that people name.

A like is a member's own secret there: only the member's access brings it, by a webhook the moment it is given and
by one page of likes a day, which finds what was taken back. What X bills is asked for sparingly: posts without
their authors' profiles, ids instead of objects.

https://docs.x.com/x-api/activity/introduction
https://docs.x.com/x-api/webhooks/introduction
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json as json_format
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tweepy.asynchronous import AsyncClient  # type: ignore[import-untyped]

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
from connectors.client import Garbled, Limited, Response, Unanswered
from connectors.linking import Admission, Departure, Expired, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from connectors.polling import Page, Plan, Still, Wanted
from connectors.reading import moment
from core.events import AccountRef, Event, Gone, Liked, Messaged, Revoked, ThingRef

PLATFORM = "twitter"

API = "https://api.x.com"
"""Where X answers questions."""
SITE = "https://x.com"
"""Where people sign in."""

LONGEST_MESSAGE = 10_000
"""Characters of a direct message:
https://developer.x.com/en/docs/twitter-api/direct-messages/manage/api-reference/post-dm_conversations-dm_conversation_id-messages
"""

CEILING = 1_500
"""Subscriptions of an application that nobody at X has raised: https://docs.x.com/x-api/activity/introduction"""

LIKE_SCOPE = "like.read"

_CONSUMER = "consumer_secret"
_PER_PAGE = 100
_LARGEST_ANSWER = 4 * 1_048_576
"""Bytes; a page of a hundred posts with their annotations has some hundred KB."""
_CREDITS_GONE = 6 * 3600.0
"""Seconds after which X is asked again when the operator's credits are used up."""
_MOST_TAGS = 30
_LONGEST_TITLE = 200

_ID = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}", re.ASCII)
_SIGNATURE = re.compile(r"sha256=[A-Za-z0-9+/]{43}=", re.ASCII)
_ENDPOINT = re.compile(r"/by/username/[^/]+|/[0-9]+(?:-[0-9]+)?(?=/|\Z)")

# X signs a challenge's token and a delivery's body with the same key in the same way, so whatever is answered to a
# challenge is a valid signature of a delivery with that body. No JSON object can be spelled in these letters.
_CHALLENGE = re.compile(r"[A-Za-z0-9+/=_.~-]{1,512}", re.ASCII)

_HOSTS = frozenset(
    {"x.com", "twitter.com", "nitter.net", "xcancel.com", "fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com"}
)
"""X's own hosts, and those of mirrors that keep its paths; also with www., mobile. or m. in front."""
_POST = re.compile(r"(?:/[^/]+)?/status(?:es)?/([1-9][0-9]{0,19})(?:/[^/]*)*", re.ASCII)
_INTERNAL_POST = re.compile(r"/i/(?:web/)?status/([1-9][0-9]{0,19})(?:/[^/]*)*", re.ASCII)
_INTERNAL_USER = re.compile(r"/i/user/([1-9][0-9]{0,19})/?", re.ASCII)
_PROFILE_PARTS = frozenset({"", "with_replies", "media", "likes", "highlights", "articles"})

# First parts of X's own pages, which look like a name but are nobody's.
_NOT_HANDLES = re.compile(
    "about|account|ads|compose|download|explore|followers|following|hashtag|help|home|i|intent|jobs|lists|login|logout"
    "|messages|notifications|oauth|privacy|rules|search|settings|share|signup|status|statuses|support|tos|who_to_follow"
)

_PROOF = ("tweet.read", "users.read")
"""Enough to say whose account it is."""
_SCOPES: Mapping[Intent, tuple[str, ...]] = {
    "link": (*_PROOF, LIKE_SCOPE, "offline.access"),
    "receive": _PROOF,
    "bot": ("tweet.read", "users.read", "dm.read", "dm.write", "offline.access"),
}

POST_FIELDS = (
    "attachments",
    "author_id",
    "context_annotations",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "referenced_tweets",
)
_USER_FIELDS = ("name", "protected", "username")

_POLICY = "https://docs.x.com/developer-terms/policy"
_GUIDELINES = "https://docs.x.com/developer-guidelines"
_READ_ON = date(2026, 11, 22)

_CARD = Card(
    platform=PLATFORM,
    title="Twitter/X",
    route="webhook",
    abilities=frozenset({"likes", "unlikes", "messages", "linking", "resolves"}),
    what_counts="A link to a post sent to the bot, and a mention of the bot in a reply to the post; a member's likes "
    "only where the operator has accepted the risk by name.",
    creator="The author of the post; of a repost the author of the original.",
    account_id_pattern="[0-9]+",
    account_id_how="X's account ids are numbers: settings, Your account, Account information does not show it; "
    "GET https://api.x.com/2/users/by/username/NAME does",
    secrets=(
        Secret(
            name=_CONSUMER,
            how="https://console.x.com, your app, Keys and tokens: the API Key Secret. It signs the webhook.",
        ),
        Secret(name="bearer_token", how="The same page: the Bearer Token of the app."),
        Secret(name="client_id", how="The same page, OAuth 2.0 Client ID (after User authentication settings)."),
        Secret(name="client_secret", how="The same page, OAuth 2.0 Client Secret."),
    ),
    settings={
        "bot": "The numeric id of the bot's account; sign in with it once by the address of `flattr sign-in twitter`.",
        "dm_by": "How letters to the bot arrive: webhook (default), or poll for a hub without a public address.",
        "dm_minutes": "Minutes between two looks for letters where dm_by is poll; default 2.",
        "mentions_minutes": "Minutes between two looks for mentions of the bot; default 10, 0 switches them off.",
        "subscriptions": f"How many subscriptions X allows the app; default {CEILING}.",
        "api": f"Where X answers; default {API}.",
        "site": f"Where people sign in; default {SITE}.",
        "tokens": "Where tokens are exchanged; default as api.",
    },
    hosts=("api.x.com", "x.com"),
    largest_body=1_048_576,
    # X sends again whatever was not answered with 200.
    success_status=200,
    retries="X repeats a failed delivery for a short time and can replay the last 24 hours; the page of likes that is "
    "read once a day finds the rest.",
    # The whole body is signed; the headers are not.
    ids_signed=False,
    knows_like_time=True,
    has_order=False,
    setup=(
        "Open https://console.x.com, create a project with an app on the pay-per-use plan, and buy credits.",
        (
            "User authentication settings: type Web App (a confidential client), permissions Read and write and"
            " Direct message, callback address {callback}, website your hub's."
        ),
        (
            "Keys and tokens: copy the API Key Secret, the Bearer Token, and OAuth 2.0 Client ID and Client Secret"
            " into the hub's settings."
        ),
        (
            "Make an account for the bot, switch on its Automated label, say in its bio who runs it, let everybody"
            " send it messages, and put its numeric id into connectors.twitter.bot."
        ),
        "Start the hub: it registers the webhook {address} by itself (https, no port, reachable from outside).",
        "Sign in once as the bot's account by the address that `flattr sign-in twitter` prints.",
        'Likes stay off unless you put accept_policy_risk = ["twitter.likes"] into the settings.',
    ),
    limits="A like is seen within seconds, an unlike within two days. 1,500 members at most are heard at once, "
    "further ones by the daily page. 15 messages in 15 minutes and 1,440 a day from the bot.",
    costs="X is paid by use. 100 likes read per member and day at $0.001, a mention $0.005, a post looked up $0.005 "
    "and its author $0.010, a message read $0.010, a message sent $0.015.",
    lights=(
        Light(
            action="likes",
            colour="red",
            clause="Pay to engage: nobody may sell or receive compensation for actions on X, and likes are named "
            "first. Here who likes pays and who wrote receives, but X ended Flattr's access over exactly that in "
            "2013. To run it is the operator's own risk.",
            url=_POLICY,
            read_on=_READ_ON,
        ),
        Light(
            action="mentions",
            colour="amber",
            clause="The same clause names posts and replies too. A mention is an order to this bot, given to it by "
            "name, and nobody is paid for writing it; answers in public are not sent at all.",
            url=_POLICY,
            read_on=_READ_ON,
        ),
        Light(
            action="messages",
            colour="green",
            clause="A bot may send direct messages only to those who wrote first, must stop when told so, must say "
            "in its profile that it is one and who runs it. A tip service that acts when its user asks is allowed.",
            url=_GUIDELINES,
            read_on=_READ_ON,
        ),
    ),
    documentation="https://docs.x.com/x-api/activity/introduction",
)

_PLAN = Plan(
    often=timedelta(days=1),
    seldom=timedelta(days=1),
    # Every reading is the one page there is.
    whole=timedelta(days=1),
    newest_first=True,
    agreeing=2,
    # So that a like that is missing does not make anybody read, and pay, again within the day.
    agreeing_for=timedelta(hours=20),
    direct=False,
    needs_grant=True,
)


class Refused(Unanswered):
    """X's answer is no; ``kind`` is the last part of the problem's type, as X's documentation names it."""

    def __init__(self, status: int, kind: str, title: str = "") -> None:
        super().__init__(f"X answered {status}: {title or kind or 'no reason'}{_REMEDIES.get(kind, '')}")
        self.status = status
        self.kind = kind
        self.title = title


_REMEDIES = {
    "client-forbidden": "; the app must belong to a project on a plan that has this endpoint, see console.x.com",
    "unsupported-authentication": "; the app's permissions or plan do not cover this, see console.x.com",
    "usage-capped": "; the plan's monthly reads are used up, see console.x.com",
}
_HIDDEN = frozenset({"resource-not-found", "not-authorized-for-resource"})
"""Deleted, suspended, or protected: what X says of content that cannot be seen (any more)."""


async def ask(
    asker: Asker,
    method: str,
    path: str,
    *,
    grant: Grant | None = None,
    params: Mapping[str, str] | None = None,
    json: object = None,
    within: float | None = None,
) -> dict[str, Any]:
    """X's answer as an object, asked with a member's access or, without one, as the app.

    Raises Expired for a token that X does not take, Refused where X says no, and other `Unanswered`.
    """
    answer = await asker.client.request(
        method,
        f"{asker.address('api', API)}{path}",
        platform=PLATFORM,
        # X counts by user and endpoint.
        account=f"{grant.account.account_id if grant else 'app'} {method} {_ENDPOINT.sub('/:', path)}",
        headers={"authorization": f"Bearer {grant.access_token if grant else asker.secret('bearer_token')}"},
        params=params,
        json=json,
        largest=_LARGEST_ANSWER,
        within=within,
    )
    if answer.status == 401 and grant is not None:
        raise Expired("X does not take this access token")
    if answer.status == 401:
        raise Unanswered("X does not accept connectors.twitter.bearer_token; copy it again from console.x.com")
    if answer.status == 402:
        raise Limited("X: the credits are used up; buy more at console.x.com", retry_after=_CREDITS_GONE)
    if not 200 <= answer.status < 300:
        raise _refused(answer)
    content = answer.json() if answer.body else {}
    if not isinstance(content, dict):
        raise Garbled("X's answer is not an object; ask again later")
    return content


def _refused(answer: Response) -> Refused:
    try:
        problem = answer.json()
    except Garbled:
        return Refused(answer.status, "")
    if not isinstance(problem, dict):
        return Refused(answer.status, "")
    kind, title = problem.get("type"), problem.get("title")
    return Refused(
        answer.status,
        _word(kind.rpartition("/")[2]) if isinstance(kind, str) else "",
        _word(title) if isinstance(title, str) else "",
    )


def _word(text: str) -> str:
    return text[:80] if text.isascii() and text.isprintable() else ""


class TwitterClient(AsyncClient):  # type: ignore[misc]
    """tweepy's client, which asks through the hub's own door: paced, patient, and pointed where the settings say.

    tweepy itself asks api.twitter.com by a session of its own and stumbles over error pages that are not JSON.
    """

    def __init__(self, asker: Asker, grant: Grant | None = None, *, within: float | None = None) -> None:
        """``grant``: whose access is used, else the app's own; ``within``: seconds for one question."""
        super().__init__(return_type=dict)
        self._asker = asker
        self._grant = grant
        self._within = within

    async def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        user_auth: bool = False,  # noqa: FBT001, FBT002 - tweepy's own signature
    ) -> _Answered:
        """What tweepy's methods ask; it never signs by OAuth 1.0a."""
        plain = {name: str(value) for name, value in (params or {}).items()}
        content = await ask(self._asker, method, route, grant=self._grant, params=plain, json=json, within=self._within)
        return _Answered(content)


class _Answered:
    """An answer as tweepy reads it."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    async def json(self) -> dict[str, Any]:
        return self._content


class Twitter:
    """The connector; it has no state."""

    @property
    def card(self) -> Card:
        """The facts about X."""
        return _CARD

    @property
    def plan(self) -> Plan:
        """One page a day, by its price."""
        return _PLAN

    # What X tells

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """The proof that the hub knows the secret, asked for by `GET ?crc_token=`.

        https://docs.x.com/x-api/webhooks/introduction
        """
        if delivery.method != "GET":
            return None
        token = delivery.query.get("crc_token", "")
        if not _CHALLENGE.fullmatch(token):
            raise Rejected("crc_token is missing or has letters that X's have not")
        secret = next((each for each in secrets.get(_CONSUMER, ()) if each), None)
        if secret is None:
            raise Rejected("there is no consumer_secret to answer with")
        body = json_format.dumps({"response_token": _signature(secret, token.encode())}).encode()
        return Answer(200, body, "application/json")

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The SHA-256 of the body, if x-twitter-webhooks-signature is its HMAC under one of the secrets.

        A body that could be the token of a challenge is rejected: anybody can have such a one signed.
        """
        sent = delivery.header("x-twitter-webhooks-signature")
        if not _SIGNATURE.fullmatch(sent):
            raise Rejected("x-twitter-webhooks-signature is not sha256= and 32 bytes in base64")
        matches = [
            hmac.compare_digest(_signature(secret, delivery.body), sent)
            for secret in secrets.get(_CONSUMER, ())
            if secret
        ]
        if not any(matches):
            raise Rejected("x-twitter-webhooks-signature does not fit the body under any of the secrets")
        if len(delivery.body) <= 512 and _CHALLENGE.fullmatch(delivery.body.decode("latin-1")):
            raise Rejected("the body could be a challenge's token, which X signs for everybody")
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """What an event of the Activity API says; empty for all that was not subscribed to.

        The older Account Activity API (`favorite_events`, `for_user_id`) mixes likes by and of a user and is
        switched off for new apps; its bodies mean nothing here.
        """
        data = read_json(delivery.body).get("data")
        if not isinstance(data, dict):
            return ()
        match data.get("event_type"):
            case "like.create":
                return _liked(data)
            case "dm.received":
                return _messaged(data)
            case "oauth.revoke":
                return (Revoked(by=_account(_payload(data).get("user_id"))),)
            case "post.delete":
                return (Gone(thing=_thing({"id": _payload(data).get("id")}, None)),)
        return ()

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The post or the account that an address names by its id; a profile by name is a thing of the web.

        Names change hands, so none in an address says who the author is.
        """
        page = addresses.canonical(url.replace("/#!/", "/", 1))
        if page is None:
            return None
        parts = urlsplit(page)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("mobile.").removeprefix("m.")
        if parts.port is not None or not (host in _HOSTS or host.startswith("nitter.")):
            return None
        query = parse_qs(parts.query)
        found = _POST.fullmatch(parts.path) or _INTERNAL_POST.fullmatch(parts.path)
        if found:
            return _thing({"id": found[1]}, None), None
        if host not in _HOSTS:
            return None  # only the path of a post is unmistakable on a mirror that nobody has heard of
        if parts.path.startswith("/intent/"):
            return _intended(query)
        if found := _INTERNAL_USER.fullmatch(parts.path):
            return _profile({"id": found[1]})
        handle, _, rest = parts.path.removeprefix("/").partition("/")
        handle = handle.removeprefix("@")
        if not _is_handle(handle) or rest.rstrip("/") not in _PROFILE_PARTS:
            return None
        address = f"https://x.com/{handle.lower()}"
        return ThingRef(platform="web", native_id=address, url=address, title=f"@{handle}"), None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The public post or account at an address, by its id; of a repost the original."""
        named = self.resolve(url)
        if named is None:
            return None
        thing = named[0]
        try:
            if thing.platform == PLATFORM and not thing.native_id.startswith("user:"):
                return await _post(asker, thing.native_id)
            return await _user(asker, thing)
        except Refused as refused:
            if refused.status == 404 or refused.kind in _HIDDEN:
                return None
            raise

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Cannot be told: likes on X are their giver's secret, and this question is asked without their access."""
        return None

    # Access

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code"""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """Whose account it is, by `GET /2/users/me`; nothing is kept where no likes will be read."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        nobody = AccountRef(platform=PLATFORM, account_id="me")
        try:
            me = await TwitterClient(asker, tokens.grant(nobody)).get_me(user_auth=False, user_fields=[*_USER_FIELDS])
        except Expired:
            raise Unanswered("X does not take the access that it has just given; sign in again later") from None
        try:
            account = _account_of(me.get("data"))
        except Unreadable:
            raise Garbled("X did not say whose account it is; sign in again later") from None
        bot = asker.settings.get("bot", "").strip()
        if intent == "bot" and bot and account.account_id != bot:
            raise NotAdmitted(f"This is {_named(account)}, not the bot's account. Sign out at X and in as the bot.")
        if intent == "receive" or (intent == "link" and "likes" in asker.off):
            return Admission(account=account)
        return Admission(account=account, grants=(tokens.grant(account),))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """A new token; X gives a new refresh token with it and takes each once."""
        tokens = await _flow(asker).refresh(asker, grant)
        return tokens.grant(grant.account, more=grant.more)

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Both tokens; X answers 400 for one that has ended, which is as good."""
        for hint, token in (("refresh_token", grant.refresh_token), ("access_token", grant.access_token)):
            if token:
                await _ask_as_client(asker, "/2/oauth2/revoke", {"token": token, "token_type_hint": hint})

    # What X is asked

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """The member's last hundred likes. They are in the order of liking, not of posting, and without times.

        https://docs.x.com/x-api/users/get-liked-posts
        """
        if wanted.grant is None:
            raise Withdrawn("likes on X are read with the member's own access only")
        if wanted.grant.scopes and LIKE_SCOPE not in wanted.grant.scopes:
            return Page(likes=())
        listed = await TwitterClient(asker, wanted.grant).get_liked_tweets(
            wanted.account.account_id,
            max_results=_PER_PAGE,
            tweet_fields=[*POST_FIELDS],
            # Only reposts' and quotations' posts; their authors' profiles would cost ten times a like.
            expansions=["referenced_tweets.id"],
        )
        try:
            return _page(listed, wanted.account)
        except Unreadable as strange:
            raise Garbled(f"X's list of likes: {strange}") from None

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Whether the post can still be seen: one that is there and not in the list was taken back."""
        native_id = like.thing.native_id
        if not _ID.fullmatch(native_id):
            return "unknown"
        found = await TwitterClient(asker, grant).get_tweets([native_id], tweet_fields=["author_id"])
        posts, errors = objects(found, "data"), objects(found, "errors")
        if any(post.get("id") == native_id for post in posts):
            return "unliked"
        if any(_about(error) == native_id and _kind(error) in _HIDDEN for error in errors):
            return "gone"
        return "unknown"

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Try the app's token, the client's secret, the webhook and the subscriptions; nothing is changed."""
        bot = asker.settings.get("bot", "").strip()
        checked = [
            Checked(
                what="bot",
                ok=bool(_ID.fullmatch(bot)),
                text=f"the bot's account is {bot}" if bot else "no account is named as the bot's",
                remedy="put its numeric id into connectors.twitter.bot; without it nobody can talk to the hub on X",
            ),
            await _check_client(asker),
        ]
        try:
            hooks = objects(await ask(asker, "GET", "/2/webhooks"), "data")
            count = await _subscriptions(asker)
        except Limited:
            raise
        except Refused as refused:
            text = str(refused)
            return [*checked, Checked(what="app", ok=False, text=text, remedy="see the app's plan at console.x.com")]
        except Unanswered as unanswered:
            if "bearer_token" not in str(unanswered):
                raise
            remedy = "Keys and tokens at console.x.com: generate the Bearer Token anew and set it"
            return [*checked, Checked(what="app", ok=False, text=str(unanswered), remedy=remedy)]
        most = ceiling(asker.settings)
        return [
            *checked,
            Checked(what="app", ok=True, text="X accepts the bearer token; every answer is billed to its credits"),
            _check_webhook(hooks, addresses.deliveries),
            Checked(
                what="subscriptions",
                ok=count < most,
                text=f"{count} of {most} in use",
                remedy="further members are heard once a day only; ask X for a higher tier",
            ),
        ]


def ceiling(settings: Mapping[str, str]) -> int:
    """How many subscriptions the app may have."""
    return number(settings, "subscriptions", CEILING)


def number(settings: Mapping[str, str], name: str, default: int) -> int:
    """A setting that is a whole number; ``default`` where it is not given or none."""
    given = settings.get(name, "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else default


# What the objects of X's answers mean. All that follows raises Unreadable only.


def post_of(
    post: Mapping[str, Any],
    *,
    users: Mapping[str, Mapping[str, Any]] | None = None,
    posts: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[ThingRef, AccountRef | None]:
    """The thing that a post is, of a repost the original, and its author where the answer tells."""
    users, posts = users or {}, posts or {}
    original = _original(post)
    if original is not None and original in posts:
        post = posts[original]
    elif original is not None:
        post = {"id": original}
    author_id = post.get("author_id")
    author = None if author_id is None else _account(author_id, users)
    return _thing(post, author), author


def included(content: Mapping[str, Any], what: str) -> dict[str, dict[str, Any]]:
    """The objects of one kind that came along (users, tweets), by their ids."""
    includes = content.get("includes")
    listed = objects(includes, what) if isinstance(includes, dict) else []
    return {one["id"]: one for one in map(_unwrapped, listed) if isinstance(one.get("id"), str)}


def _keyed(users: object) -> dict[str, dict[str, Any]]:
    """The users that come along with a letter, by their ids."""
    pairs = users.items() if isinstance(users, dict) else ()
    return {number: _unwrapped(user) for number, user in pairs if isinstance(user, dict)}


def _unwrapped(each: dict[str, Any]) -> dict[str, Any]:
    """The Activity API wraps some objects once more."""
    inner = each.get("data")
    return inner if isinstance(inner, dict) else each


def id_of(holder: Mapping[str, Any]) -> str:
    """The id of a post, an account or a message."""
    return _id(holder.get("id"))


def message_text(text: object, entities: object) -> str:
    """What was typed: X escapes it for HTML and puts an address of its own (t.co) in the place of every address."""
    plain = html.unescape(text) if isinstance(text, str) else ""
    for each in objects(entities, "urls") if isinstance(entities, dict) else ():
        short, whole = each.get("url"), each.get("expanded_url")
        if isinstance(short, str) and isinstance(whole, str) and short.startswith("https://t.co/"):
            plain = plain.replace(short, whole)
    return plain.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8").strip()


def time_of(millis: object) -> datetime | None:
    """A time in milliseconds since 1970, as text or number; None stays None."""
    if millis is None:
        return None
    spelled = str(millis) if isinstance(millis, int | str) and not isinstance(millis, bool) else ""
    if not re.fullmatch(r"[0-9]{1,16}", spelled, re.ASCII):
        raise Unreadable("a time is not in milliseconds since 1970")
    try:
        return datetime.fromtimestamp(int(spelled) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unreadable("a time is not in milliseconds since 1970") from None


def _liked(data: Mapping[str, Any]) -> tuple[Event, ...]:
    payload, chosen = _payload(data), data.get("filter")
    match chosen:
        case {"direction": "inbound"}:
            return ()  # somebody liked a post of the member's: a stranger's secret, and no act of the member
        case {"direction": "outbound", "user_id": liker}:
            pass
        case _:
            raise Unreadable("like.create without direction=outbound does not say who liked; delete that subscription")
    users, posts = included(data, "users"), included(data, "tweets")
    author = _account(payload.get("liked_tweet_author_id"), users)
    native_id = _id(payload.get("liked_tweet_id"))
    # What is known of it may be missing, and then only its numbers are.
    told = {"author_id": author.account_id, **posts.get(native_id, {}), "id": native_id}
    thing, made_by = post_of(told, users=users, posts=posts)
    at = time_of(payload.get("timestamp_ms"))
    if at is None:
        raise Unreadable("a like has no timestamp_ms")
    if users.get(author.account_id, {}).get("protected") is True:
        return ()  # a protected account is a private room
    return (Liked(by=_account(liker, users), thing=thing, author=made_by, at=at),)


def _messaged(data: Mapping[str, Any]) -> tuple[Event, ...]:
    payload, chosen = _payload(data), data.get("filter")
    if not isinstance(chosen, dict):
        raise Unreadable("dm.received does not say whose letters they are")
    bot = _id(chosen.get("user_id"))
    users = included(data, "users") | _keyed(payload.get("users"))
    letters = payload.get("direct_message_events")
    if letters is None:
        letters = [payload]
    if not isinstance(letters, list):
        raise Unreadable("direct_message_events is not a list")
    return tuple(event for each in letters if (event := _letter(each, bot, users)) is not None)


def _letter(letter: object, bot: str, users: Mapping[str, Mapping[str, Any]]) -> Messaged | None:
    """One message to the bot in either of X's spellings; None for what is none, or is the bot's own."""
    content: object
    match letter:
        case {"type": "message_create", "id": number, "message_create": {"sender_id": sender, **created}, **rest}:
            content, target = created.get("message_data"), created.get("target")
            to = target.get("recipient_id") if isinstance(target, dict) else None
            at = time_of(rest.get("created_timestamp"))
        case {"event_type": "MessageCreate", "id": number, "sender_id": sender, **rest}:
            content, at = rest, moment(rest.get("created_at"))
            # Two numbers name a conversation of two, one number a group's, in which nobody talks to the bot alone.
            to = bot if "-" in str(rest.get("dm_conversation_id", "-")) else None
        case {"type": str()} | {"event_type": str()}:
            return None
        case _:
            raise Unreadable("a letter is not as documented")
    by = _account(sender, users)
    words = message_text(content.get("text"), content.get("entities")) if isinstance(content, dict) else ""
    if by.account_id == bot or to != bot or not words:
        return None
    return Messaged(by=by, text=words, message_id=_id(number), at=at)


def letter_of(event: Mapping[str, Any], *, bot: str, users: Mapping[str, Mapping[str, Any]]) -> Messaged | None:
    """A message as `GET /2/dm_events` lists it; None for what is none, or is the bot's own."""
    return _letter(event, bot, users)


def _page(listed: Mapping[str, Any], account: AccountRef) -> Page:
    """A sound page of likes: as many entries as it says, each with its id; Unreadable for any other."""
    entries, meta = listed.get("data", []), listed.get("meta")
    promised = meta.get("result_count") if isinstance(meta, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise Unreadable("its data are not a list of posts")
    if isinstance(promised, bool) or not isinstance(promised, int) or promised != len(entries):
        raise Unreadable("it has not as many posts as it says")
    errors = listed.get("errors", [])
    # Of a quotation's post that is hidden X says so; an error about anything else is one about the list.
    if not isinstance(errors, list) or any(_kind(each) not in _HIDDEN for each in errors):
        raise Unreadable("X says that something is wrong with it")
    posts = included(listed, "tweets")
    likes: dict[str, Liked] = {}
    for entry in entries:
        _id(entry.get("id"))
        thing, author = post_of(entry, posts=posts)
        likes.setdefault(thing.native_id, Liked(by=account, thing=thing, author=author))
    # Nothing is put beside the likes: on a page that proves the newest alone, the order is what proves.
    return Page(likes=tuple(likes.values()), proves="newest")


async def _post(asker: Asker, native_id: str) -> tuple[ThingRef, AccountRef | None] | None:
    for _ in range(2):
        found = await TwitterClient(asker).get_tweet(
            native_id,
            tweet_fields=[*POST_FIELDS],
            expansions=["author_id", "referenced_tweets.id"],
            user_fields=[*_USER_FIELDS],
        )
        post = found.get("data")
        if not isinstance(post, dict):
            return None
        users = included(found, "users")
        original = _original(post)
        if original is None:
            break
        # A repost's author is not the original's, so the original is asked for by itself.
        native_id = original
    else:
        return None
    if users.get(str(post.get("author_id")), {}).get("protected") is True:
        return None
    try:
        return post_of(post, users=users)
    except Unreadable as strange:
        raise Garbled(f"X's answer about a post: {strange}") from None


async def _user(asker: Asker, thing: ThingRef) -> tuple[ThingRef, AccountRef | None] | None:
    number, name = thing.native_id.removeprefix("user:"), thing.url.rpartition("/")[2]
    which = {"id": number} if thing.platform == PLATFORM else {"username": name}
    found = (await TwitterClient(asker).get_user(**which, user_fields=[*_USER_FIELDS])).get("data")
    if not isinstance(found, dict):
        return None
    try:
        return _profile(found)
    except Unreadable as strange:
        raise Garbled(f"X's answer about an account: {strange}") from None


async def _subscriptions(asker: Asker) -> int:
    listed = await ask(asker, "GET", "/2/activity/subscriptions")
    meta = listed.get("meta")
    total = meta.get("total_subscriptions") if isinstance(meta, dict) else None
    return total if isinstance(total, int) else len(objects(listed, "data"))


async def _check_client(asker: Asker) -> Checked:
    """A refresh token that is none: X says so to its client, and to nobody else."""
    form = {"grant_type": "refresh_token", "refresh_token": "none"}
    answer = await _ask_as_client(asker, "/2/oauth2/token", form)
    ok = answer.status != 401
    return Checked(
        what="sign-in",
        ok=ok,
        text="X knows the client" if ok else "X does not accept client_id and client_secret",
        remedy="Keys and tokens at console.x.com: OAuth 2.0 Client ID and Client Secret (not the API Key)",
    )


def _check_webhook(hooks: Sequence[Mapping[str, Any]], address: str) -> Checked:
    parts = urlsplit(address)
    mine = next((hook for hook in hooks if hook.get("url") == address), None)
    if parts.scheme != "https" or parts.port is not None:
        text, remedy = f"X calls https addresses without a port only, not {address}", "set hub.public_url to one"
    elif mine is None:
        text, remedy = f"{address} is not registered yet", "the hub registers it within a minute of its start"
    elif mine.get("valid") is not True:
        text = "registered, but X got no answer to its last challenge and delivers nothing"
        remedy = "see that the address is reached from outside; the hub asks X for another challenge once a day"
    else:
        return Checked(what="webhook", ok=True, text=f"{address} is registered and valid")
    return Checked(what="webhook", ok=False, text=text, remedy=remedy)


async def _ask_as_client(asker: Asker, path: str, form: Mapping[str, str]) -> Response:
    pair = f"{asker.secret('client_id')}:{asker.secret('client_secret')}".encode()
    return await asker.client.request(
        "POST",
        f"{_tokens(asker)}{path}",
        platform=PLATFORM,
        headers={"authorization": f"Basic {base64.b64encode(pair).decode()}"},
        form=form,
    )


def _tokens(asker: Asker) -> str:
    return asker.address("tokens", asker.address("api", API))


def _flow(asker: Asker) -> CodeFlow:
    return CodeFlow(
        platform=PLATFORM,
        title="X",
        client_id=asker.secret("client_id"),
        client_secret=asker.secret("client_secret"),
        authorize=f"{asker.address('site', SITE)}/i/oauth2/authorize",
        tokens=f"{_tokens(asker)}/2/oauth2/token",
        scopes={**_SCOPES, "link": _PROOF} if "likes" in asker.off else _SCOPES,
        pkce=True,
        basic=True,
    )


def _signature(secret: bytes, content: bytes) -> str:
    return f"sha256={base64.b64encode(hmac.digest(secret, content, 'sha256')).decode()}"


def _intended(query: Mapping[str, Sequence[str]]) -> tuple[ThingRef, AccountRef | None] | None:
    """Addresses that open a button: /intent/like?tweet_id=, /intent/user?user_id=."""
    for name, value in ((name, values[0]) for name, values in query.items()):
        if name == "tweet_id" and _ID.fullmatch(value):
            return _thing({"id": value}, None), None
        if name == "user_id" and _ID.fullmatch(value):
            return _profile({"id": value})
        if name == "screen_name" and _is_handle(value):
            address = f"https://x.com/{value.lower()}"
            return ThingRef(platform="web", native_id=address, url=address, title=f"@{value}"), None
    return None


def _profile(user: Mapping[str, Any]) -> tuple[ThingRef, AccountRef]:
    account = _account_of(user)
    url = account.url or f"https://x.com/i/user/{account.account_id}"
    title = f"@{account.handle}" if account.handle else None
    return ThingRef(platform=PLATFORM, native_id=f"user:{account.account_id}", url=url, title=title), account


def _thing(post: Mapping[str, Any], author: AccountRef | None) -> ThingRef:
    """A post under the id of its first version, which edits do not change."""
    native_id = _id(post.get("id"))
    first = next(iter(_versions(post)), native_id)
    name = author.handle if author is not None and author.url is not None else "i"
    return ThingRef(
        platform=PLATFORM,
        native_id=first,
        url=f"https://x.com/{name}/status/{first}",
        title=_title(post.get("text")),
        tags=_tags(post),
    )


def _versions(post: Mapping[str, Any]) -> list[str]:
    """The ids of a post that was edited, the first version's first."""
    listed = post.get("edit_history_tweet_ids")
    if not isinstance(listed, list):
        return []
    return [each for each in listed if isinstance(each, str) and _ID.fullmatch(each)]


def _original(post: Mapping[str, Any]) -> str | None:
    for each in objects(post, "referenced_tweets"):
        if each.get("type") == "retweeted":
            return _id(each.get("id"))
    return None


def _account(number: object, users: Mapping[str, Mapping[str, Any]] | None = None) -> AccountRef:
    account_id = _id(number)
    return _account_of({**(users or {}).get(account_id, {}), "id": account_id})


def _account_of(user: object) -> AccountRef:
    if not isinstance(user, dict):
        raise Unreadable("there is no account where one should be")
    handle = user.get("username")
    sound = isinstance(handle, str) and _HANDLE.fullmatch(handle) is not None
    return AccountRef(
        platform=PLATFORM,
        account_id=_id(user.get("id")),
        handle=handle if sound else None,
        url=f"https://x.com/{handle}" if sound else None,
    )


def _named(account: AccountRef) -> str:
    return f"@{account.handle}" if account.handle else f"account {account.account_id}"


def _is_handle(name: str) -> bool:
    return _HANDLE.fullmatch(name) is not None and not _NOT_HANDLES.fullmatch(name.lower())


def _id(number: object) -> str:
    if isinstance(number, str) and _ID.fullmatch(number):
        return number
    raise Unreadable("a post or an account has no numeric id")


def _payload(data: Mapping[str, Any]) -> dict[str, Any]:
    payload = data.get("payload")
    if not isinstance(payload, dict):
        raise Unreadable("the event has no payload")
    return payload


def objects(holder: object, name: str) -> list[dict[str, Any]]:
    """The objects of a list; what is none is left out."""
    found = holder.get(name) if isinstance(holder, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _about(error: Mapping[str, Any]) -> str | None:
    """The post that an error within an answer is about."""
    number = error.get("resource_id") or error.get("value")
    return number if isinstance(number, str) and _ID.fullmatch(number) else None


def _kind(error: object) -> str:
    kind = error.get("type") if isinstance(error, dict) else None
    return kind.rpartition("/")[2] if isinstance(kind, str) else ""


def _title(text: object) -> str | None:
    """The first line of what is written there."""
    plain = message_text(text, None)
    first = next((line.strip() for line in plain.splitlines() if line.strip()), "")
    return first[:_LONGEST_TITLE] or None


def _tags(post: Mapping[str, Any]) -> tuple[str, ...]:
    entities = post.get("entities")
    words: list[object] = [each.get("tag") for kind in ("hashtags", "cashtags") for each in objects(entities, kind)]
    for annotation in objects(post, "context_annotations"):
        parts = (annotation.get("entity"), annotation.get("domain"))
        words += [part.get("name") for part in parts if isinstance(part, dict)]
    return tuple(dict.fromkeys(_sound(words)))[:_MOST_TAGS]


def _sound(words: Iterable[object]) -> Iterable[str]:
    for word in words:
        if isinstance(word, str) and (plain := message_text(word, None)):
            yield plain[:_LONGEST_TITLE]


connector = Twitter()
