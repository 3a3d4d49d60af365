"""Facebook: a reaction to a connected Page's post, or a like of the Page itself, is a like, and the Page its creator.

Nobody can ask Facebook what a person liked. So it is the creator who connects a Page, whose reactions Facebook then
tells as they happen; what got lost is found again in the lists that the Page's own token shows. A person has one id
for each Page and another one for the application: all three kinds of id are account ids here.

https://developers.facebook.com/docs/graph-api/webhooks/reference/page#feed
https://developers.facebook.com/docs/graph-api/reference/object/reactions
https://developers.facebook.com/docs/messenger-platform/reference/webhook-events
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors import addresses
from connectors.base import (
    Addresses,
    Answer,
    Asker,
    Card,
    Checked,
    Delivery,
    Light,
    Rejected,
    Secret,
    Secrets,
    Unreadable,
    read_json,
)
from connectors.client import Allowance, Garbled, Limited, Unanswered
from connectors.linking import Admission, Departure, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow, Tokens
from connectors.reading import moment, plain_text
from connectors.speaking import Button, Picture
from core.events import AccountRef, Event, Gone, Liked, Messaged, Revoked, ThingRef, Unliked

PLATFORM = "facebook"
API = "https://graph.facebook.com"
SITE = "https://www.facebook.com"
VERSION = "v25.0"

_APP_ID, _APP_SECRET, _VERIFY_TOKEN = "app_id", "app_secret", "verify_token"

LIKES = frozenset({"LIKE", "LOVE", "CARE", "WOW"})
"""The reactions that are likes; haha, sad and angry are not. Webhooks write them in lower case."""

FIELDS = ("feed", "messages", "messaging_referrals", "messaging_optins", "messaging_postbacks")
"""What a Page has to tell us."""

_PAGES_SCOPES = (
    "public_profile",
    "pages_show_list",
    "pages_manage_metadata",
    "pages_read_engagement",
    "pages_read_user_content",
    "pages_messaging",
)
_PER_PAGE = 100
_MOST_PAGES = 1_000
_LARGEST_ANSWER = 4 * 1_048_576
_PATIENCE = 20.0
"""Seconds for one question that nobody waits for: what is not answered then is asked in the next round."""
_HOUR = 3600.0
_CHANGE = 4_096
"""Bytes that one change takes at most; a delivery has up to 1,000 of them."""

SLOW_AT = 80
"""Per cent of Facebook's limit from which on nothing but messages and sign-ins is asked for some minutes."""

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_ID = re.compile(r"[1-9][0-9]{0,24}")
_POST_ID = re.compile(r"[1-9][0-9]{0,24}(_[1-9][0-9]{0,24}){1,2}")
_CODE = re.compile(r"([BCDFGHJKLMNPQRSTVWXZ]{5})-?([BCDFGHJKLMNPQRSTVWXZ]{5})", re.IGNORECASE | re.ASCII)
"""A link code as `core.people.codes` makes them."""
_CONTENT = frozenset({"post", "status", "photo", "video"})
_LATEST = 4_000_000_000
"""Seconds since 1970; a time after this (2096) is none."""

_HOST = re.compile(r"(?:(?:www|m|web|mbasic|touch|mobile|[a-z]{2}-[a-z]{2})\.)?(?:facebook|fb)\.com")
_STORY = re.compile(r"pfbid[A-Za-z0-9]{10,200}|[1-9][0-9]{0,24}")
_SHARE = re.compile(r"[A-Za-z0-9_-]{3,60}")
_NAME = re.compile(r"[A-Za-z0-9.]{3,80}")
_NOT_NAMES = frozenset(
    {
        "about",
        "ads",
        "bookmarks",
        "business",
        "careers",
        "dialog",
        "docs",
        "events",
        "flx",
        "friends",
        "gaming",
        "groups",
        "hashtag",
        "help",
        "home.php",
        "l.php",
        "legal",
        "login",
        "login.php",
        "marketplace",
        "media",
        "messages",
        "notes",
        "notifications",
        "pages",
        "people",
        "permalink.php",
        "pg",
        "photo",
        "photo.php",
        "photos",
        "plugins",
        "policies",
        "policy.php",
        "privacy",
        "profile.php",
        "public",
        "recover",
        "reel",
        "reels",
        "search",
        "settings",
        "share",
        "sharer",
        "sharer.php",
        "stories",
        "story.php",
        "terms",
        "terms.php",
        "tr",
        "video",
        "video.php",
        "videos",
        "watch",
    }
)

_CARD = Card(
    platform=PLATFORM,
    title="Facebook",
    route="webhook",
    abilities=frozenset({"likes", "unlikes", "messages", "linking", "resolves"}),
    what_counts="A like, love, care or wow on a post of a connected Page, and a like of the Page itself; taking it "
    "back, or changing it to haha, sad or angry, withdraws it.",
    creator="The Page; whoever manages it connects it.",
    secrets=(
        Secret(name=_APP_ID, how="The number at the top of the app's page on https://developers.facebook.com/apps."),
        Secret(
            name=_APP_SECRET,
            how="App settings, Basic, App secret. Whoever knows it can forge reactions: it goes nowhere else.",
        ),
        Secret(
            name=_VERIFY_TOKEN,
            how="A word of your own that you also type into the webhook's form; make it with `openssl rand -hex 16`.",
        ),
    ),
    settings={
        "api": f"where Facebook is asked (default {API})",
        "site": f"where people sign in (default {SITE})",
    },
    hosts=("graph.facebook.com", "www.facebook.com"),
    allowance=Allowance(requests=200, seconds=60),
    account_allowance=Allowance(requests=60, seconds=60),
    account_id_pattern=r"[0-9]{1,25}(:[0-9]{1,25})?|app:[0-9]{1,25}",
    account_id_how="A Page is PAGE_ID, a person as that Page sees them PAGE_ID:PSID, and a person as this hub's app "
    "sees them app:ID; all are numbers. A Page's is under About, Page transparency; people's are in the deliveries "
    "(`flattr inbox show`)",
    largest_body=1_000 * _CHANGE,
    success_status=200,
    retries="With falling frequency for 36 hours; after that the lists of reactions are compared every few hours.",
    knows_like_time=True,
    has_order=True,
    setup=(
        "Open https://developers.facebook.com/apps and create an app of type Business.",
        "App settings, Basic: put its number and secret into the hub's settings, with a verify_token of your own.",
        "Facebook Login for Business, Settings: valid OAuth redirect URI {callback}, strict mode on.",
        "Webhooks, object Page: callback address {address}, your verify_token, with values included.",
        "There subscribe to feed, messages, messaging_referrals, messaging_optins and messaging_postbacks.",
        "Webhooks, object Permissions: the same address and token; subscribe to connected and to the pages_ fields.",
        "App settings, Basic: data deletion request address {address}/deletion.",
        "Facebook Login for Business, Settings: deauthorise callback address {address}/deauthorized.",
        "App Review, with business verification: Advanced Access to the five pages_ permissions of the next line.",
        "pages_show_list, pages_manage_metadata, pages_read_engagement, pages_read_user_content, pages_messaging.",
        "Until these are granted only people with a role in the app can connect Pages and are seen.",
        "Switch the app to Live mode. Then creators write `link facebook page` and sign in to connect their Pages.",
    ),
    limits="Seen within seconds, on connected Pages only and of people who are bound to them only. "
    "Lost reactions are found within six hours. Messenger lets the hub answer for 24 hours after somebody wrote.",
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="Apps may not reward people for anything but signing in, entering a promotion, checking in or "
            "writing to a business; likes may not be bought or exchanged. The hub pays the Page and gives nothing to "
            "who likes, yet money follows a like: read the clause yourself. Read in a stored copy of the page.",
            url="https://developers.facebook.com/docs/development/terms-and-policies/policy-deep-dive",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="accounts",
            colour="amber",
            clause="Page permissions take App Review and a verified business; what is seen may serve only what people "
            "agreed to, and has to be deleted when they ask. Rests on the fact sheet and Meta's developer pages.",
            url="https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="messages",
            colour="green",
            clause="A Page may answer for 24 hours after a person wrote, and an automated one has to say that it is. "
            "Rests on the fact sheet and Meta's list of Messenger errors.",
            url="https://developers.facebook.com/docs/messenger-platform/policy/policy-overview",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://developers.facebook.com/docs/graph-api/webhooks/reference/page",
)


class Refusal(Unanswered):
    """Facebook's own error, by its numbers: https://developers.facebook.com/docs/graph-api/guides/error-handling."""

    def __init__(
        self, code: int, subcode: int | None, *, retry_after: float | None = None, is_ours: bool = False
    ) -> None:
        """``is_ours``: only whoever runs the hub can mend it; it says nothing about what was asked for."""
        number = str(code) if subcode is None else f"{code}/{subcode}"
        reason = f"Facebook refuses (error {number})"
        if is_ours:
            reason = f"Facebook does not accept connectors.facebook.app_id and app_secret (error {number}); check both"
        super().__init__(reason, retry_after=retry_after)
        self.code = code
        self.subcode = subcode
        self.is_ours = is_ours

    @property
    def is_missing(self) -> bool:
        """Whether the object is not there, or not for us to see."""
        return not self.is_ours and ((self.code == 100 and self.subcode in (None, 33)) or self.code in (10, 803))


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post of a Page, as its token shows it."""

    post_id: str
    made_at: datetime
    address: str | None = None
    """Where Facebook shows it; it may carry the Page's name and a word instead of the ids."""
    title: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactors:
    """Who reacts to a post, as the Page sees them."""

    likers: frozenset[str]
    """Page-scoped ids of those whose reaction is a like."""
    complete: bool
    """Whether everybody whom Facebook counts was listed, so that who is not there does not react."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What Facebook tells about a person who removed the app: https://developers.facebook.com/docs/facebook-login."""

    account: AccountRef
    issued_at: datetime


def page(page_id: str) -> AccountRef:
    """A Page's account."""
    return AccountRef(platform=PLATFORM, account_id=page_id, url=f"{SITE}/{page_id}")


def person(page_id: str, psid: str, *, name: str | None = None) -> AccountRef:
    """A person as one Page sees them."""
    return AccountRef(platform=PLATFORM, account_id=f"{page_id}:{psid}", handle=name)


def user(asid: str, *, name: str | None = None) -> AccountRef:
    """A person as our app sees them."""
    return AccountRef(platform=PLATFORM, account_id=f"app:{asid}", handle=name)


def post(post_id: str, *, title: str | None = None, tags: tuple[str, ...] = ()) -> ThingRef:
    """A Page's post, under the address that leads to it whatever the Page is called."""
    return ThingRef(platform=PLATFORM, native_id=post_id, url=f"{SITE}/{post_id}", title=title, tags=tags)


def page_as_thing(page_id: str) -> ThingRef:
    """A Page as something that can be liked."""
    return ThingRef(platform=PLATFORM, native_id=f"page:{page_id}", url=f"{SITE}/{page_id}")


def invitation(page_id: str, code: str) -> str:
    """The address that opens a talk with a Page and binds, by a link code, who opens it."""
    return f"https://m.me/{page_id}?ref={code}"


def read_signed_request(text: str, secrets: Secrets) -> SignedRequest:
    """A signed request (base64url of HMAC-SHA256, a dot, base64url of JSON) whose signature is good; or Rejected.

    https://developers.facebook.com/docs/facebook-login/guides/advanced/existing-system#parsingsr
    """
    signature, dot, payload = text.partition(".")
    if not dot or len(text) > 10_000 or not text.isascii():
        raise Rejected("not a signed request")
    expected = [
        base64.urlsafe_b64encode(hmac.digest(secret, payload.encode(), "sha256")).rstrip(b"=")
        for secret in secrets.get(_APP_SECRET, ())
        if secret
    ]
    sent = signature.rstrip("=").encode()
    matches = [hmac.compare_digest(each, sent) for each in expected]
    if not any(matches):
        raise Rejected("the signed request's signature does not fit it under any of the secrets")
    try:
        content = json.loads(base64.urlsafe_b64decode(payload.rstrip("=") + "=" * (-len(payload.rstrip("=")) % 4)))
    except (ValueError, RecursionError):
        raise Rejected("the signed request cannot be read") from None
    match content:
        case {"algorithm": str(algorithm), "user_id": asid, "issued_at": issued_at} if (
            algorithm.upper() == "HMAC-SHA256"
        ):
            try:
                return SignedRequest(account=user(_id(asid, "user_id")), issued_at=_moment(_seconds(issued_at)))
            except Unreadable as unreadable:
                raise Rejected(str(unreadable)) from None
    raise Rejected("the signed request is not as documented")


class Facebook:
    """The connector; it has no state."""

    receives_separately = True
    """Connecting Pages takes other permissions than having one's likes counted."""

    @property
    def card(self) -> Card:
        """The facts about Facebook."""
        return _CARD

    # Deliveries

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        """The echo of hub.challenge, if hub.verify_token is ours.

        https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
        """
        if delivery.method != "GET":
            return None
        query = delivery.query
        if query.get("hub.mode") != "subscribe":
            raise Rejected("a question that is not hub.mode=subscribe")
        sent = query.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
        matches = [hmac.compare_digest(token, sent) for token in secrets.get(_VERIFY_TOKEN, ()) if token]
        if not any(matches):
            raise Rejected("hub.verify_token is not the one in the settings")
        challenge = query.get("hub.challenge", "")
        if not _CHALLENGE.fullmatch(challenge):
            raise Rejected("hub.challenge is not a number or a word")
        return Answer(200, challenge.encode())

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        """The SHA-256 of the body, if X-Hub-Signature-256 is its HMAC under one of the app's secrets.

        https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
        """
        sent = delivery.header("x-hub-signature-256")
        if not _SIGNATURE.fullmatch(sent):
            raise Rejected("X-Hub-Signature-256 is not sha256= and 64 lower-case hexadecimal digits")
        matches = [
            hmac.compare_digest(f"sha256={hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()}", sent)
            for secret in secrets.get(_APP_SECRET, ())
            if secret
        ]
        if not any(matches):
            raise Rejected("X-Hub-Signature-256 does not fit the body under any of the secrets")
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """Every change and message of a batch; empty for comments, receipts, our own acts, and other objects."""
        body = read_json(delivery.body)
        read = {"page": _of_page, "user": _of_user, "permissions": _of_permissions}.get(str(body.get("object")))
        if read is None:
            return ()
        events = [event for entry in _objects(body.get("entry"), "entry") for event in read(entry)]
        return tuple(dict.fromkeys(events))

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """A post or a Page by its ids where the address carries them, else the web page under one address for it.

        Names can change hands, and a photo's or a video's number is not its post's: only numbers of Page and post
        together name a post. It does not prove whose it is, since anybody can type another Page's number before a
        post's: a connected Page's own list tells, and its posts are made one with their addresses then.
        """
        shown = addresses.canonical(url)
        if shown is None:
            return None
        parts = urlsplit(shown)
        if parts.port is not None:
            return None
        steps = [each for each in parts.path.split("/") if each]
        query = dict(parse_qsl(parts.query))
        if parts.hostname == "fb.watch":
            return _web(f"https://fb.watch/{steps[0]}/") if len(steps) == 1 and _SHARE.fullmatch(steps[0]) else None
        if not _HOST.fullmatch(parts.hostname or ""):
            return None
        return _resolved(steps, query)

    # Signing in

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """Facebook's dialog; whoever wants to receive is asked for their Pages too."""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """Who signed in; for who wants to receive, also the Pages that they manage, with the access to each."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        try:
            return await self._admission(asker, tokens, intent)
        except Withdrawn:
            raise NotAdmitted("Facebook has taken this sign-in back already. Sign in again from the bot.") from None

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """Facebook refreshes nothing: Withdrawn, always. Until its end the access stays as it is."""
        raise Withdrawn("Facebook's access ends after its 60 days; sign in there again")

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Remove the app from a person's account, or a Page's subscription to it."""
        kind, _, asid = grant.account.account_id.rpartition(":")
        path = f"{asid}/permissions" if kind == "app" else f"{grant.account.account_id}/subscribed_apps"
        try:
            await ask(asker, "DELETE", path, token=grant.access_token, urgent=True)
        except Withdrawn:
            return
        except Refusal as refusal:
            if not (refusal.is_missing or 200 <= refusal.code < 300):
                raise

    async def _admission(self, asker: Asker, tokens: Tokens, intent: Intent) -> Admission:
        token, expires_at = await self._long_lived(asker, tokens.access_token)
        me = await ask(asker, "GET", "me", token=token, params={"fields": "id,name"}, urgent=True)
        account = user(_told_id(me.get("id")), name=plain_text(me.get("name")))
        grant = Grant(account=account, access_token=token, expires_at=expires_at, scopes=tokens.scopes)
        if intent == "link":
            return Admission(account=account, grants=(grant,))
        if missing := await self._not_allowed(asker, token):
            raise NotAdmitted(
                f"In Facebook's dialog {', '.join(missing)} was not allowed, without which no likes can be seen. "
                "Sign in again and leave every permission on."
            )
        pages = await self._managed(asker, grant)
        if not pages:
            raise NotAdmitted(
                "Facebook showed me no Page that you manage. Sign in again, and in Facebook's dialog tick the Pages "
                "that are to receive and leave every permission on."
            )
        return Admission(account=account, also=tuple(each.account for each in pages), grants=(grant, *pages))

    async def _long_lived(self, asker: Asker, token: str) -> tuple[str, datetime | None]:
        """A token of about 60 days for one of an hour or two."""
        form = {
            "grant_type": "fb_exchange_token",
            "client_id": asker.secret(_APP_ID),
            "client_secret": asker.secret(_APP_SECRET),
            "fb_exchange_token": token,
        }
        answer = await ask(asker, "POST", "oauth/access_token", form=form, urgent=True, repeatable=True)
        match answer:
            case {"access_token": str(lasting)} if lasting:
                seconds = answer.get("expires_in")
                told = isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < 10**9
                return lasting, asker.clock() + timedelta(seconds=seconds) if told and seconds is not None else None
        raise Garbled("Facebook's token answer has no access_token; sign in again")

    async def _not_allowed(self, asker: Asker, token: str) -> list[str]:
        """What was asked for to connect Pages and not granted: the dialog lets people leave out each permission.

        https://developers.facebook.com/docs/graph-api/reference/user/permissions
        """
        answer = await ask(asker, "GET", "me/permissions", token=token, urgent=True)
        granted = {each.get("permission") for each in _data(answer) if each.get("status") == "granted"}
        return [each for each in _PAGES_SCOPES if each not in granted]

    async def _managed(self, asker: Asker, grant: Grant) -> list[Grant]:
        """The Pages that somebody manages, each with the access to it, which has no end of its own."""
        found: dict[str, Grant] = {}
        params = {"fields": "id,name,tasks,access_token"}
        async for each in _listed(asker, "me/accounts", token=grant.access_token, params=params, urgent=True):
            match each:
                case {"id": page_id, "access_token": str(token), "tasks": [*tasks]} if token and "MANAGE" in tasks:
                    account = AccountRef(
                        platform=PLATFORM, account_id=_told_id(page_id), handle=plain_text(each.get("name"))
                    )
                    found[account.account_id] = Grant(account=account, access_token=token, scopes=_PAGES_SCOPES)
        return list(found.values())

    # What a Page's token shows

    async def posts(self, asker: Asker, grant: Grant, *, most: int = 50) -> tuple[Post, ...]:
        """The Page's latest posts, newest first."""
        page_id = grant.account.account_id
        params = {"fields": "id,created_time,message,permalink_url", "limit": str(min(most, _PER_PAGE))}
        answer = await ask(asker, "GET", f"{page_id}/posts", token=grant.access_token, params=params, account=page_id)
        return tuple(_post_of(each) for each in _data(answer))

    async def reactors(self, asker: Asker, grant: Grant, post_id: str) -> Reactors:
        """All pages of a post's reactions; Refusal with `is_missing` if it is gone."""
        page_id = grant.account.account_id
        kinds: dict[str, str] = {}
        total: object = None
        params = {"fields": "id,type", "summary": "total_count"}
        path, entries = f"{post_id}/reactions", 0
        async for answer in _answers(asker, path, token=grant.access_token, params=params, account=page_id):
            summary = answer.get("summary")
            total = summary.get("total_count") if isinstance(summary, dict) else total
            for each in _data(answer):
                match each:
                    case {"id": listed, "type": str(kind)}:
                        kinds[_told_id(listed)] = kind
                        entries += 1
                    case _:
                        raise Garbled(f"a reaction to {post_id} has no id or no type; ask again later")
        return Reactors(
            likers=frozenset(each for each, kind in kinds.items() if kind in LIKES),
            # A person listed twice means that the list moved while it was read.
            complete=total == len(kinds) == entries and not isinstance(total, bool),
        )

    async def page_scoped(self, asker: Asker, asid: str, page_id: str) -> str | None:
        """A person's id on a Page; None if they have none there. Only Pages of the app's own Business are told.

        https://developers.facebook.com/docs/messenger-platform/identity/id-matching
        """
        path = f"{asid}/ids_for_pages"
        try:
            answer = await ask(asker, "GET", path, token=_app_token(asker), params={"page": page_id}, account=page_id)
        except Withdrawn:
            # It is the app's own token that is not taken, and no Page's.
            raise Refusal(190, None, retry_after=_HOUR, is_ours=True) from None
        for each in _data(answer):
            match each:
                case {"id": psid, "page": {"id": of}} if str(of) == page_id:
                    return _told_id(psid)
        return None

    async def subscribe(self, asker: Asker, grant: Grant) -> bool:
        """See to it that the Page tells us everything we need; False: it did already."""
        page_id = grant.account.account_id
        path = f"{page_id}/subscribed_apps"
        answer = await ask(asker, "GET", path, token=grant.access_token, account=page_id)
        for each in _data(answer):
            match each:
                case {"id": app, "subscribed_fields": [*fields]} if str(app) == asker.secret(_APP_ID):
                    if set(FIELDS) <= {str(name) for name in fields}:
                        return False
        form = {"subscribed_fields": ",".join(FIELDS)}
        done = await ask(asker, "POST", path, token=grant.access_token, form=form, account=page_id, repeatable=True)
        if done.get("success") is not True:
            raise Garbled("Facebook did not say that the Page is subscribed; ask again later")
        return True

    async def send(self, asker: Asker, grant: Grant, psid: str, text: str, *, buttons: Sequence[Button] = ()) -> None:
        """One message from the Page, within 24 hours of the person's last one; Refusal says why not.

        https://developers.facebook.com/docs/messenger-platform/reference/send-api
        """
        page_id = grant.account.account_id
        message: dict[str, object] = {"text": text}
        choices = [
            {"content_type": "text", "title": each.label[:20], "payload": each.text}
            for each in buttons[:13]
            if each.label.strip() and len(each.text) <= 1000
        ]
        if choices:
            message["quick_replies"] = choices
        body = {"recipient": {"id": psid}, "messaging_type": "RESPONSE", "message": message}
        await ask(
            asker, "POST", f"{page_id}/messages", token=grant.access_token, body=body, account=page_id, urgent=True
        )

    async def send_picture(self, asker: Asker, grant: Grant, psid: str, picture: Picture) -> None:
        """A picture from the Page, a message of its own (Messenger takes no words with it); Refusal says why not.

        https://developers.facebook.com/docs/messenger-platform/send-messages#sending_attachments
        """
        page_id = grant.account.account_id
        fields = {
            "recipient": json.dumps({"id": psid}),
            "messaging_type": "RESPONSE",
            "message": json.dumps({"attachment": {"type": "image", "payload": {}}}),
        }
        upload = _multipart(fields, picture)
        await ask(
            asker, "POST", f"{page_id}/messages", token=grant.access_token, upload=upload, account=page_id, urgent=True
        )

    # The operator's set-up

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """The app's number and secret, and what is registered for webhooks."""
        app_id = asker.secret(_APP_ID)
        console = f"https://developers.facebook.com/apps/{app_id}"
        try:
            told = await ask(asker, "GET", app_id, token=_app_token(asker), params={"fields": "id,name"}, urgent=True)
        except (Withdrawn, Refusal) as refused:
            return (
                Checked(
                    what="app_id and app_secret",
                    ok=False,
                    text=f"Facebook does not accept them: {refused}",
                    remedy=f"put the number and the secret from {console}/settings/basic into the settings",
                ),
            )
        is_ours = str(told.get("id")) == app_id
        name = plain_text(told.get("name")) or app_id
        found = [
            Checked(
                what="app_id and app_secret",
                ok=is_ours,
                text=f"Facebook knows the app as {name}" if is_ours else "they are of two different apps",
                remedy="" if is_ours else f"take both from one page: {console}/settings/basic",
            )
        ]
        answer = await ask(asker, "GET", f"{app_id}/subscriptions", token=_app_token(asker), urgent=True)
        registered = {str(each.get("object")): each for each in _data(answer)}
        remedy = f"{console}/webhooks: callback address {addresses.deliveries}, your verify_token"
        found.append(_checked_subscription(registered.get("page"), "page", FIELDS, addresses.deliveries, remedy))
        found.append(
            _checked_subscription(registered.get("permissions"), "permissions", (), addresses.deliveries, remedy)
        )
        return tuple(found)


def _checked_subscription(
    given: Mapping[str, Any] | None, what: str, fields: Sequence[str], address: str, remedy: str
) -> Checked:
    name = f"webhook for {what}"
    if given is None:
        return Checked(what=name, ok=False, text="it is not registered", remedy=f"register it at {remedy}")
    listed = given.get("fields")
    there = {
        str(each.get("name")) if isinstance(each, dict) else str(each)
        for each in (listed if isinstance(listed, list) else ())
    }
    missing = [each for each in fields if each not in there]
    if given.get("callback_url") != address:
        return Checked(what=name, ok=False, text="it goes to another address", remedy=f"change it at {remedy}")
    if given.get("active") is False or missing:
        text = f"the fields {', '.join(missing)} are missing" if missing else "it is switched off"
        return Checked(what=name, ok=False, text=text, remedy=f"subscribe to all fields at {remedy}")
    return Checked(what=name, ok=True, text=f"registered for {', '.join(sorted(there)) or 'nothing yet'}")


# Asking Facebook


async def ask(
    asker: Asker,
    method: str,
    path: str,
    *,
    token: str | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: object = None,
    upload: tuple[str, bytes] | None = None,
    account: str | None = None,
    urgent: bool = False,
    repeatable: bool | None = None,
) -> dict[str, Any]:
    """Facebook's answer to one question, an object.

    Raises Withdrawn for a token that has ended, Refusal for its other errors, Limited where Facebook's limit is
    nearly used up (unless ``urgent``), and what else the client raises.
    """
    _wait_for_room(asker, account, urgent=urgent)
    headers = {"accept": "application/json"}
    if upload is not None:
        headers["content-type"] = upload[0]
    asked = dict(params or {})
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
        # https://developers.facebook.com/docs/graph-api/guides/secure-requests#appsecret_proof
        asked["appsecret_proof"] = hmac.new(
            asker.secret(_APP_SECRET).encode(), token.encode(), hashlib.sha256
        ).hexdigest()
    answer = await asker.client.request(
        method,
        f"{asker.address('api', API)}/{VERSION}/{path}",
        platform=PLATFORM,
        account=account,
        headers=headers,
        params=asked,
        form=form,
        json=body,
        body=upload[1] if upload is not None else None,
        largest=_LARGEST_ANSWER,
        repeatable=repeatable,
        within=None if urgent else _PATIENCE,
    )
    _note_usage(asker, account, answer.headers)
    content = answer.json()
    if not isinstance(content, dict):
        raise Garbled(f"Facebook answered {answer.status} with something that is no object; ask again later")
    if "error" in content:
        raise _error(content["error"])
    if answer.status != 200:
        raise Garbled(f"Facebook answered {answer.status} without an error; ask again later")
    return content


def _multipart(fields: Mapping[str, str], picture: Picture) -> tuple[str, bytes]:
    """A form with a file, as its type and its bytes (RFC 7578)."""
    boundary = f"flattr-{hashlib.sha256(picture.content).hexdigest()[:32]}"
    parts = [(f'form-data; name="{name}"', "text/plain", value.encode()) for name, value in fields.items()]
    parts.append((f'form-data; name="filedata"; filename="{picture.name}"', "image/png", picture.content))
    lines = [
        b"--%s\r\nContent-Disposition: %s\r\nContent-Type: %s\r\n\r\n%s\r\n"
        % (boundary.encode(), how.encode(), kind.encode(), content)
        for how, kind, content in parts
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join(lines) + f"--{boundary}--\r\n".encode()


async def _answers(
    asker: Asker,
    path: str,
    *,
    token: str,
    params: Mapping[str, str],
    account: str | None = None,
    urgent: bool = False,
) -> AsyncIterator[dict[str, Any]]:
    """Every page of a list; a cursor that comes again, or no end in sight, is no answer."""
    seen: set[str] = set()
    after: str | None = None
    while True:
        asked = {**params, "limit": str(_PER_PAGE), **({"after": after} if after else {})}
        answer = await ask(asker, "GET", path, token=token, params=asked, account=account, urgent=urgent)
        yield answer
        paging = answer.get("paging")
        match paging:
            case {"next": str(), "cursors": {"after": str(following)}} if following:
                if following in seen or len(seen) >= _MOST_PAGES:
                    raise Garbled(f"the pages of {path} lead in a circle; ask again later")
                seen.add(following)
                after = following
            case {"next": _}:
                raise Garbled(f"{path} has more pages but does not say where; ask again later")
            case _:
                return


async def _listed(
    asker: Asker, path: str, *, token: str, params: Mapping[str, str], urgent: bool = False
) -> AsyncIterator[dict[str, Any]]:
    async for answer in _answers(asker, path, token=token, params=params, urgent=urgent):
        for each in _data(answer):
            yield each


def _data(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise Garbled("Facebook's list is none; ask again later")
    return data


def _error(error: object) -> Exception:
    """What an error object means: https://developers.facebook.com/docs/graph-api/guides/error-handling."""
    subcode: int | None = None
    match error:
        case {"code": int(code)}:
            pass
        case _:
            return Garbled("Facebook's error has no number; ask again later")
    match error:
        case {"error_subcode": int(number)}:
            subcode = number
    if code in (102, 190):
        return Withdrawn(f"Facebook's access has ended (error {code}{f'/{subcode}' if subcode else ''})")
    if code in (4, 17, 32, 341, 613, 80001, 80006):
        return Limited(f"Facebook: too many requests (error {code}); ask again in an hour", retry_after=_HOUR)
    match error:
        case {"code": 100, "message": str(message)} if "appsecret_proof" in message:
            return Refusal(code, subcode, retry_after=_HOUR, is_ours=True)
    waits = {1: 60.0, 2: 60.0, 368: 6 * _HOUR}
    return Refusal(code, subcode, retry_after=waits.get(code))


def _wait_for_room(asker: Asker, account: str | None, *, urgent: bool) -> None:
    for name in ("slow", f"slow {account}"):
        until = asker.memory.get(name)
        if isinstance(until, datetime) and not urgent and (left := (until - asker.clock()).total_seconds()) > 0:
            raise Limited(f"Facebook's limit is nearly used up; ask again in {left:.0f} s", retry_after=left)


def _note_usage(asker: Asker, account: str | None, headers: Mapping[str, str]) -> None:
    """Slow down while the limit is nearly used up: https://developers.facebook.com/docs/graph-api/overview/rate-limiting.

    The headers give per cent of an hour's limit, of the app or of the Page that was asked for.
    """
    for header, name in (
        ("x-app-usage", "slow"),
        ("x-page-usage", f"slow {account}"),
        ("x-business-use-case-usage", f"slow {account}"),
    ):
        if header not in headers:
            continue
        used, minutes = _usage(headers[header])
        if used >= SLOW_AT:
            seconds = minutes * 60 or (3600 if used >= 100 else 600)
            asker.memory[name] = asker.clock() + timedelta(seconds=min(seconds, 86_400))


def _usage(text: str) -> tuple[float, float]:
    """The highest percentage in a usage header, and the minutes until access is regained where they are told."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return 0, 0
    reports: list[Any] = [told]
    if isinstance(told, dict):
        reports += [each for listed in told.values() if isinstance(listed, list) for each in listed]
    used = minutes = 0.0
    for report in reports:
        if not isinstance(report, dict):
            continue
        for name, value in report.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if name in ("call_count", "total_time", "total_cputime"):
                used = max(used, value)
            elif name == "estimated_time_to_regain_access":
                minutes = max(minutes, value)
    return used, minutes


def _app_token(asker: Asker) -> str:
    """https://developers.facebook.com/docs/facebook-login/guides/access-tokens#apptokens."""
    return f"{asker.secret(_APP_ID)}|{asker.secret(_APP_SECRET)}"


def _flow(asker: Asker) -> CodeFlow:
    return CodeFlow(
        platform=PLATFORM,
        title="Facebook",
        client_id=asker.secret(_APP_ID),
        client_secret=asker.secret(_APP_SECRET),
        authorize=f"{asker.address('site', SITE)}/{VERSION}/dialog/oauth",
        tokens=f"{asker.address('api', API)}/{VERSION}/oauth/access_token",
        scopes={"link": ("public_profile",), "receive": _PAGES_SCOPES, "bot": _PAGES_SCOPES},
        separator=",",
        # Else what somebody left out once is not asked for again.
        more={"auth_type": "rerequest"},
    )


def _told_id(value: object) -> str:
    """An id in an answer; Garbled if it is none."""
    try:
        return _id(value, "an object")
    except Unreadable:
        raise Garbled("something in Facebook's answer has no id; ask again later") from None


def _post_of(told: Mapping[str, Any]) -> Post:
    post_id, at = told.get("id"), moment(told.get("created_time"))
    if not isinstance(post_id, str) or not _POST_ID.fullmatch(post_id) or at is None:
        raise Garbled("a post in Facebook's answer has no id or no time; ask again later")
    message = plain_text(told.get("message")) or ""
    address = told.get("permalink_url")
    return Post(
        post_id=post_id,
        made_at=at,
        address=address if isinstance(address, str) else None,
        title=next((line.strip()[:200] for line in message.splitlines() if line.strip()), None),
        tags=tuple(dict.fromkeys(tag.lower() for tag in re.findall(r"#(\w{2,60})", message))),
    )


# Reading deliveries


def _of_page(entry: Mapping[str, Any]) -> Iterator[Event]:
    for change in _objects(entry.get("changes", []), "changes"):
        value = change.get("value")
        if change.get("field") == "feed" and isinstance(value, dict):
            yield from _of_feed(entry, value)
    for message in _objects(entry.get("messaging", []), "messaging"):
        yield from _of_messenger(entry, message)


def _of_feed(entry: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Event]:
    item, verb = value.get("item"), value.get("verb")
    if item in ("reaction", "like") and verb in ("add", "edit", "remove"):
        yield from _of_reaction(entry, value)
    elif isinstance(item, str) and item in _CONTENT and verb == "remove" and value.get("post_id") is not None:
        yield Gone(thing=post(_post_id(value["post_id"])))


def _of_reaction(entry: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Event]:
    if value.get("comment_id") is not None:
        return  # somebody liked what was said about the post
    page_id = _id(entry.get("id"), "entry.id")
    by = _actor(page_id, value)
    if by is None:
        return
    if value.get("post_id") is not None:
        thing = post(_post_id(value["post_id"]))
    elif value["item"] == "like":
        thing = page_as_thing(page_id)
    else:
        raise Unreadable("a reaction without post_id")
    seconds = _when(entry, value)
    if _is_like(value):
        yield Liked(by=by, thing=thing, author=page(page_id), at=_moment(seconds), order=seconds * 1_000_000)
    else:
        yield Unliked(by=by, thing=thing, at=_moment(seconds), order=seconds * 1_000_000)


def _is_like(value: Mapping[str, Any]) -> bool:
    """Whether after this act the person likes it. Old deliveries name no kind: there was only one."""
    kind = value.get("reaction_type")
    if kind is not None and not isinstance(kind, str):
        raise Unreadable("reaction_type is not a word")
    return value["verb"] != "remove" and (kind is None or kind.upper() in LIKES)


def _actor(page_id: str, value: Mapping[str, Any]) -> AccountRef | None:
    """Who did it, in the shapes of 2015 to now; None: the Page itself."""
    match value:
        case {"from": {"id": psid}}:
            name = plain_text(value["from"].get("name"))
        case {"from": _}:
            raise Unreadable("from has no id")
        case {"sender_id": psid} | {"user_id": psid}:
            name = plain_text(value.get("sender_name"))
        case _:
            raise Unreadable("a reaction without who did it")
    psid = _id(psid, "the id of who reacted")
    return None if psid == page_id else person(page_id, psid, name=name)


def _of_messenger(entry: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Event]:
    match message:
        case {"message": {"text": str(text)} as sent} if not sent.get("is_echo") and not sent.get("is_deleted"):
            match sent:
                case {"quick_reply": {"payload": str(payload)}} if plain_text(payload):
                    text = payload
            if plain_text(text) is None:
                return
            by = _speaker(entry, message)
            mid = sent.get("mid")
            if not isinstance(mid, str) or not plain_text(mid) or len(mid) > 450:
                raise Unreadable("a message without mid")
            if by is not None:
                yield Messaged(by=by, text=text, message_id=mid, at=_spoken_at(message))
        case (
            {"referral": {"ref": ref}}
            | {"postback": {"referral": {"ref": ref}}}
            | {"optin": {"ref": ref}}
            | {"account_linking": {"status": "linked", "authorization_code": ref}}
        ):
            code = _CODE.fullmatch(ref.strip()) if isinstance(ref, str) else None
            by = _speaker(entry, message) if code is not None else None
            if code is None or by is None:
                return
            # It has no id of its own; that somebody came with this very code is one act.
            spoken_at = _spoken_at(message)
            millis = int(spoken_at.timestamp() * 1000) if spoken_at else 0
            text = f"{code[1]}-{code[2]}".upper()
            yield Messaged(by=by, text=text, message_id=f"ref:{by.account_id}:{millis}", at=spoken_at)


def _speaker(entry: Mapping[str, Any], message: Mapping[str, Any]) -> AccountRef | None:
    page_id = _id(entry.get("id"), "entry.id")
    sender = message.get("sender")
    psid = _id(sender.get("id") if isinstance(sender, dict) else None, "sender.id")
    return None if psid == page_id else person(page_id, psid)


def _spoken_at(message: Mapping[str, Any]) -> datetime | None:
    """Messenger counts milliseconds; without a time that of receipt serves."""
    match message.get("timestamp"):
        case int(stamp) if not isinstance(stamp, bool) and 0 < stamp < _LATEST * 1000:
            return datetime.fromtimestamp(stamp // 1000, UTC) + timedelta(milliseconds=stamp % 1000)
    return None


def _of_user(entry: Mapping[str, Any]) -> Iterator[Event]:
    """A Page that a signed-in person likes: only where Facebook allowed the app to see that."""
    for change in _objects(entry.get("changes", []), "changes"):
        value = change.get("value")
        verb = change.get("verb", value.get("verb") if isinstance(value, dict) else None)
        if change.get("field") != "likes" or not isinstance(value, dict) or verb not in ("add", "remove"):
            continue
        if value.get("page") is None:
            continue
        by = user(_id(entry.get("uid", entry.get("id")), "entry.uid"))
        page_id = _id(value["page"], "value.page")
        seconds = _when(entry, value)
        thing, at, order = page_as_thing(page_id), _moment(seconds), seconds * 1_000_000
        if verb == "add":
            yield Liked(by=by, thing=thing, author=page(page_id), at=at, order=order)
        else:
            yield Unliked(by=by, thing=thing, at=at, order=order)


def _of_permissions(entry: Mapping[str, Any]) -> Iterator[Event]:
    """A person took back something that they had allowed: all that we ask for is needed."""
    for change in _objects(entry.get("changes", []), "changes"):
        value = change.get("value")
        if "revoked" in (change.get("verb"), value.get("verb") if isinstance(value, dict) else None):
            yield Revoked(by=user(_id(entry.get("uid", entry.get("id")), "entry.uid")))


def _objects(value: object, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unreadable(f"{name} is not a list of objects")
    return value


def _id(value: object, name: str) -> str:
    """An id, which older deliveries write as a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**25 else value
    if isinstance(text, str) and _ID.fullmatch(text):
        return text
    raise Unreadable(f"{name} is not a number")


def _post_id(value: object) -> str:
    if isinstance(value, str) and _POST_ID.fullmatch(value):
        return value
    raise Unreadable("post_id is not the number of a Page and that of a post")


def _when(entry: Mapping[str, Any], value: Mapping[str, Any]) -> int:
    """When it happened, in seconds since 1970; of the likes that tell no time, when Facebook sent them."""
    created = value.get("created_time")
    return _seconds(entry.get("time") if created is None else created)


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST:
        return value
    raise Unreadable("a time that is not seconds since 1970")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# Reading addresses


def _resolved(steps: list[str], query: Mapping[str, str]) -> tuple[ThingRef, AccountRef | None] | None:
    match steps:
        case ["permalink.php" | "story.php"]:
            return _of_story(query.get("id", ""), query.get("story_fbid", ""))
        case ["groups", group, "posts" | "permalink", story] if _NAME.fullmatch(group) and _STORY.fullmatch(story):
            return _web(f"{SITE}/groups/{group}/posts/{story}")
        case ["photo.php" | "photo"] if _ID.fullmatch(query.get("fbid", "")):
            return _web(f"{SITE}/photo/?fbid={query['fbid']}")
        case ["watch" | "video.php"] | ["watch", "live"] if _ID.fullmatch(query.get("v", "")):
            return _web(f"{SITE}/watch/?v={query['v']}")
        case ["reel", number] if _ID.fullmatch(number):
            return _web(f"{SITE}/reel/{number}")
        case ["share", kind, word] if kind in ("p", "v", "r") and _SHARE.fullmatch(word):
            return _web(f"{SITE}/share/{kind}/{word}/")
        case ["share", word] if _SHARE.fullmatch(word):
            return _web(f"{SITE}/share/{word}/")
        case ["profile.php"] if _ID.fullmatch(query.get("id", "")):
            return _web(f"{SITE}/profile.php?id={query['id']}")
        case ["people", _, number] if _ID.fullmatch(number):
            return _web(f"{SITE}/profile.php?id={number}")
        case ["pages", _, number] if _ID.fullmatch(number):
            return page_as_thing(number), page(number)
        case ["pg", name] | [name] if _is_name(name):
            return (page_as_thing(name), page(name)) if _ID.fullmatch(name) else _web(f"{SITE}/{name}")
        case [both] if _POST_ID.fullmatch(both):
            return post(both), None
        case [name, "posts", *_, story] if _is_name(name):
            return _of_story(name, story)
        case [name, "photos", *_, number] if _is_name(name) and _ID.fullmatch(number):
            return _web(f"{SITE}/photo/?fbid={number}")
        case [name, "videos", *_, number] if _is_name(name) and _ID.fullmatch(number):
            return _web(f"{SITE}/watch/?v={number}")
    return None


def _of_story(owner: str, story: str) -> tuple[ThingRef, AccountRef | None] | None:
    if not _STORY.fullmatch(story):
        return None
    if _ID.fullmatch(owner):
        if _ID.fullmatch(story):
            return post(f"{owner}_{story}"), None
        return _web(f"{SITE}/permalink.php?story_fbid={story}&id={owner}")
    return _web(f"{SITE}/{owner}/posts/{story}") if _is_name(owner) else None


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text[0] != "0" and text.lower() not in _NOT_NAMES


def _web(address: str) -> tuple[ThingRef, AccountRef | None]:
    return ThingRef(platform="web", native_id=address, url=address), None


connector = Facebook()
