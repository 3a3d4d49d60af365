"""Dailymotion: a like on a public video, asked for with the access of the member who gave it.

The list of likes tells neither their time nor an order, and ends after a thousand: it is read as a set, whole, and
only a reading that comes to the platform's own total proves that something is not there.

https://developers.dailymotion.com/v0/reference/introduction (the "legacy" API; its successor has no likes)
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from connectors import addresses
from connectors.base import Addresses, Asker, Card, Checked, Currently, KnownLike, Light, Secret
from connectors.client import Allowance, Garbled, Response, Unanswered
from connectors.linking import Admission, Departure, Expired, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from connectors.polling import Page, Plan, Still, Wanted
from core.events import AccountRef, Liked, ThingRef

API = "https://api.dailymotion.com"
SITE = "https://www.dailymotion.com"

_KEY, _SECRET = "api_key", "api_secret"  # the settings' names
_PER_PAGE = 100
_CAP = 1000
"""The list ends here however long it is, and so does its total."""
_EMPTY = timedelta(hours=24)
"""A list that had likes and is empty is believed after this time."""
_FIELDS = "id,title,url,channel,tags,private,owner.id,owner.username,owner.screenname,owner.url"
_PERSON = "id,username,screenname,url"
_LARGEST_ANSWER = 4 * 1_048_576
_ID = re.compile(r"[A-Za-z0-9]{2,40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LOCALE = re.compile(r"[a-z]{2}(-[A-Za-z]{2})?")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_HOSTS = frozenset({"dailymotion.com", "www.dailymotion.com", "touch.dailymotion.com", "m.dailymotion.com"})

# First parts of the site's own pages, which look like a user's name but are nobody's.
_NOT_USERS = frozenset(
    {
        "about",
        "browse",
        "channel",
        "channels",
        "embed",
        "explore",
        "feed",
        "following",
        "history",
        "hub",
        "legal",
        "library",
        "live",
        "oauth",
        "partner",
        "player",
        "playlist",
        "search",
        "settings",
        "signin",
        "swf",
        "topic",
        "trending",
        "upload",
        "user",
        "video",
        "videos",
        "watchlist",
    }
)

# The video is there but cannot be watched by anybody else: https://developers.dailymotion.com/v0/reference
_NOT_SHOWN = frozenset({"deleted", "rejected"})
_SHOWN = frozenset({"published", "ready"})

_PLAN = Plan(
    often=timedelta(minutes=10),
    seldom=timedelta(hours=2),
    whole=timedelta(hours=1),
    newest_first=False,
    agreeing=2,
    # Nobody says about a single like that it was taken back, so a fault must not repeat itself within minutes.
    agreeing_for=timedelta(minutes=30),
    direct=False,
)

_CARD = Card(
    platform="dailymotion",
    title="Dailymotion",
    route="poll",
    abilities=frozenset({"likes", "unlikes", "linking", "resolves"}),
    what_counts="A like on a public video; taking it back takes it back here.",
    creator="The owner of the video's channel.",
    account_id_pattern="[A-Za-z0-9]{2,40}",
    account_id_how="Dailymotion's account ids look like x1vy1cl: "
    "https://api.dailymotion.com/user/NAME?fields=id shows a name's id",
    secrets=(
        Secret(name=_KEY, how="The public API key, from https://www.dailymotion.com/partner, Account, API keys"),
        Secret(name=_SECRET, how="The API secret beside the key"),
    ),
    settings={
        "api": f"where questions are asked, instead of {API}",
        "tokens": f"where access is granted and refreshed (/oauth/token below it), instead of {API}",
        "site": f"where people sign in (/oauth/authorize below it), instead of {SITE}",
    },
    hosts=("api.dailymotion.com",),
    allowance=Allowance(requests=120, seconds=60),
    account_allowance=Allowance(requests=30, seconds=60),
    retries="Asks for the whole list again; what was liked meanwhile is found, at the time of the reading.",
    ids_signed=True,
    knows_like_time=False,
    has_order=False,
    setup=(
        "Open the Dailymotion Studio, https://www.dailymotion.com/partner, Account, API keys.",
        "(A new account may have to become a partner's first, which is free.)",
        "Create a public API key. Only the old API knows public keys and likes: a private key does not do.",
        "Callback URL: {callback}, exactly.",
        "Put the key and the secret into the hub's settings.",
    ),
    limits="Seen within 10 minutes to 2 hours, unlikes an hour later. Only the 1,000 likes that Dailymotion lists, and"
    " of who has so many no unlikes. Dailymotion's API v2 has no likes: when the old API ends, so does this.",
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="Forbids content that is posted to push the number of likes, and deceptive practices. Nobody is"
            " paid for liking here, but creators could beg for likes. Rests on the help pages; the terms for the API"
            " were not at hand.",
            url="https://faq.dailymotion.com/hc/en-us/articles/360015770799-Rules-related-to-spam-or-fraudulent-content",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="accounts",
            colour="amber",
            clause="The API that has sign-in by members and their likes is called legacy; its successor is made for"
            " partners and has neither. No end has been announced.",
            url="https://developers.dailymotion.com/v0/reference/introduction",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://developers.dailymotion.com/v0/reference/introduction",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """What the last walk found: how many likes, the first of them, and since when a list that had some is empty."""

    total: int
    first: str = ""
    empty_since: datetime | None = None

    def spelled(self) -> str:
        since = self.empty_since.isoformat() if self.empty_since else ""
        return f"{self.total}|{self.first}|{since}"

    @classmethod
    def read(cls, spelled: str | None) -> _Cursor | None:
        """None where there is none that can be read: then the whole list is read."""
        try:
            total, first, since = (spelled or "").split("|")
            at = datetime.fromisoformat(since) if since else None
            return cls(total=int(total), first=first, empty_since=at if at is None or at.tzinfo else None)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a walk through the list is, and what the pages before said."""

    number: int = 1
    total: int | None = None
    first: str = ""

    def spelled(self) -> str:
        return f"{self.number}|{self.total}|{self.first}"

    @classmethod
    def read(cls, spelled: str | None) -> _Place:
        if spelled is None:
            return cls()
        try:
            number, total, first = spelled.split("|")
            return cls(number=int(number), total=int(total), first=first)
        except ValueError:
            raise Garbled("the mark of a Dailymotion page is none; read the list from its beginning") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One page as Dailymotion says it."""

    videos: Sequence[Mapping[str, Any]]
    total: int
    has_more: bool

    @property
    def first(self) -> str:
        return str(self.videos[0]["id"]) if self.videos else ""


class Dailymotion:
    """The connector; it has no state."""

    @property
    def card(self) -> Card:
        """The facts about Dailymotion."""
        return _CARD

    @property
    def plan(self) -> Plan:
        """Every reading is of the whole list, unless a glance at its total and first video shows nothing new."""
        return _PLAN

    # Linking

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """Dailymotion's own page; no right to change anything is asked for."""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """Whose access it is, by `/me`; kept only to read likes with."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        try:
            answer = await self._ask(asker, "/me", {"fields": _PERSON}, token=tokens.access_token)
        except Expired:
            raise Unanswered(
                "Dailymotion does not take the access that it has just given; sign in again later"
            ) from None
        me = _object(answer) if answer.status == 200 else {}
        if not _is_id(me.get("id")):
            raise NotAdmitted("Dailymotion did not say whose account this is. Please try again.")
        account = _account(me, "")
        # Who only wants to receive is known by now, and nothing of theirs is read.
        return Admission(account=account, grants=() if intent == "receive" else (tokens.grant(account),))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """By the refresh token, which Dailymotion may or may not replace."""
        tokens = await _flow(asker).refresh(asker, grant)
        return tokens.grant(grant.account, more=grant.more)

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """`/logout` ends the token; an answer that it has ended already is as good."""
        await asker.client.request(
            "GET", f"{_api(asker)}/logout", platform="dailymotion", headers=_bearer(grant.access_token)
        )

    # Polling

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """One page of up to a hundred likes, or the glance that shows that nothing is new.

        A glance compares the total and the first video with those of the last walk. A like and an unlike may leave
        both as they were; the complete listing, once an hour, finds them.
        """
        token = _token(wanted.grant)
        mark, account = wanted.mark, wanted.account
        cursor = _Cursor.read(mark.cursor)
        if mark.page is None and cursor is not None and not mark.whole:
            glance = await self._listed(asker, account, token, fields="id", limit=1, number=1)
            if (glance.total, glance.first) == (cursor.total, cursor.first):
                return Page(likes=())
        place = _Place.read(mark.page)
        listed = await self._listed(asker, account, token, fields=_FIELDS, limit=_PER_PAGE, number=place.number)
        if place.total not in (None, listed.total):
            raise Garbled("Dailymotion's list changed while it was read; read it again from its beginning")
        first = listed.first if place.number == 1 else place.first
        likes, besides = _read(account, listed.videos)
        if listed.has_more and place.number * _PER_PAGE < _CAP:
            following = _Place(number=place.number + 1, total=listed.total, first=first)
            return Page(likes=likes, besides=besides, more=following.spelled(), total=listed.total)
        # With fewer videos than the total says it is no whole list; that is seen by the total, here and in the hub.
        whole = listed.total < _CAP
        found = _Cursor(total=listed.total, first=first)
        if listed.total == 0 and cursor is not None and (cursor.total > 0 or cursor.empty_since is not None):
            # What a platform shows first when something is broken there, or closed to us.
            found = replace(found, empty_since=cursor.empty_since or asker.clock())
            whole = asker.clock() - (cursor.empty_since or asker.clock()) >= _EMPTY
        return Page(
            likes=likes,
            besides=besides,
            cursor=found.spelled(),
            proves="everything" if whole else "nothing",
            total=listed.total if whole else None,
        )

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Whether the video is there; nothing says whether this account likes it.

        One that was deleted or made private has left every list and was unliked by nobody.
        """
        answer = await self._ask(
            asker,
            f"/video/{quote(like.thing.native_id, safe='')}",
            {"fields": "id,private,status", "family_filter": "false"},
            token=_token(grant),
            account=like.by,
        )
        video = _object(answer)
        if answer.status in (404, 410) and _error(video).get("type") == "not_found":
            return "gone"
        if answer.status != 200 or video.get("id") != like.thing.native_id:
            return "unknown"
        private, status = video.get("private"), str(video.get("status"))
        if private is True or status in _NOT_SHOWN:
            return "gone"
        return "unliked" if private is False and status in _SHOWN else "unknown"

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """A video by its id, which every address of it carries; a channel's page as a page of the web."""
        page = addresses.canonical(url)
        if page is None:
            return None
        if (video := _video_in(page)) is not None:
            return ThingRef(platform="dailymotion", native_id=video, url=f"{SITE}/video/{video}"), None
        if (name := _user_in(page)) is not None:
            address = f"{SITE}/{name}"
            return ThingRef(platform="web", native_id=address, url=address, title=name), None
        return None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The public video or channel at an address, by a question that needs no access."""
        named = self.resolve(url)
        if named is None:
            return None
        thing, _ = named
        if thing.platform == "dailymotion":
            answer = await self._ask(asker, f"/video/{thing.native_id}", {"fields": _FIELDS, "family_filter": "false"})
            video = _object(answer)
            if answer.status != 200 or video.get("private") is not False or not _is_id(video.get("id")):
                return None
            return _thing(video), _owner(video)
        answer = await self._ask(asker, f"/user/{urlsplit(thing.url).path.strip('/')}", {"fields": _PERSON})
        user = _object(answer)
        if answer.status != 200 or not _is_id(user.get("id")):
            return None
        account = _account(user, "")
        address = account.url or f"{SITE}/{account.account_id}"
        return (
            ThingRef(
                platform="dailymotion",
                native_id=f"user:{account.account_id}",
                url=address,
                title=_plain(user.get("screenname")) or account.handle,
            ),
            account,
        )

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Never: only the member's own access shows a like."""
        return None

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Whether the API answers, and whether it knows the key.

        The key is tried with a code that nobody was given: a key that is right is told that the code is wrong
        (RFC 6749, section 5.2).
        """
        answer = await self._ask(asker, "/videos", {"fields": "id", "limit": "1"})
        found = answer.status == 200 and isinstance(_object(answer).get("list"), list)
        old = Checked(
            what="the old API",
            ok=found,
            text="it answers" if found else f"it answers {answer.status}",
            remedy="" if found else "see https://developers.dailymotion.com/changelog: it may have been switched off",
        )
        return old, await self._check_key(asker, addresses)

    async def _check_key(self, asker: Asker, addresses: Addresses) -> Checked:
        answer = await asker.client.request(
            "POST",
            f"{_tokens(asker)}/oauth/token",
            platform="dailymotion",
            form={
                "grant_type": "authorization_code",
                "code": "nobody-was-given-this",
                "redirect_uri": addresses.callback,
                "client_id": asker.secret(_KEY),
                "client_secret": asker.secret(_SECRET),
            },
            repeatable=True,
        )
        said = answer.json()
        error = said.get("error") if isinstance(said, dict) else None
        if error in ("invalid_client", "unauthorized_client"):
            return Checked(
                what="the API key",
                ok=False,
                text="Dailymotion does not know it, or the secret is another key's",
                remedy="copy key and secret of a public API key from the Studio, Account, API keys",
            )
        known = error == "invalid_grant"
        return Checked(
            what="the API key",
            ok=known,
            text="Dailymotion knows it" if known else f"Dailymotion answers {answer.status}, which tells nothing",
            remedy="" if known else f"see that the key is a public one and its Callback URL is {addresses.callback}",
        )

    async def _listed(
        self, asker: Asker, account: AccountRef, token: str, *, fields: str, limit: int, number: int
    ) -> _Listed:
        """One page, if it is what was asked for: its own number and limit, entries with ids, a total that fits."""
        # The filter is on unless said otherwise: a video that is marked as explicit later would vanish.
        params = {"fields": fields, "limit": str(limit), "page": str(number), "family_filter": "false"}
        answer = await self._ask(asker, "/me/likes", params, token=token, account=account)
        page = _object(answer)
        if answer.status != 200:
            raise Unanswered(f"Dailymotion answers {answer.status} instead of the likes; ask again later")
        match page:
            case {
                "page": int(said),
                "limit": int(most),
                "total": int(total),
                "has_more": bool(more),
                "list": list(got),
            }:
                pass
            case _:
                raise Garbled("Dailymotion's page of likes lacks its number, total or list; treat it as no answer")
        if isinstance(total, bool) or not 0 <= total < 10**9:
            raise Garbled("Dailymotion's total of likes is no number; treat the page as no answer")
        if said != number or most != limit or len(got) > limit:
            raise Garbled("Dailymotion's page of likes is not the one that was asked for; treat it as no answer")
        if not all(isinstance(each, dict) and _is_id(each.get("id")) for each in got):
            raise Garbled("a like in Dailymotion's list has no video id; treat the page as no answer")
        if len({each["id"] for each in got}) < len(got):
            raise Garbled("Dailymotion's page lists a like twice; treat it as no answer")
        if more != (number * limit < total) and total < _CAP:
            raise Garbled("Dailymotion's page of likes contradicts its total; treat it as no answer")
        return _Listed(videos=got, total=total, has_more=more)

    async def _ask(
        self,
        asker: Asker,
        path: str,
        params: Mapping[str, str],
        *,
        token: str | None = None,
        account: AccountRef | None = None,
    ) -> Response:
        """Dailymotion's answer; Expired if it does not take the token."""
        answer = await asker.client.request(
            "GET",
            f"{_api(asker)}{path}",
            platform="dailymotion",
            account=account.account_id if account else None,
            headers=_bearer(token) if token else {},
            params=params,
            largest=_LARGEST_ANSWER,
        )
        if token is not None and _refuses_token(answer):
            raise Expired("Dailymotion does not take the access token")
        return answer


def _flow(asker: Asker) -> CodeFlow:
    scopes = ("userinfo",)
    return CodeFlow(
        platform="dailymotion",
        title="Dailymotion",
        client_id=asker.secret(_KEY),
        client_secret=asker.secret(_SECRET),
        authorize=f"{asker.address('site', SITE)}/oauth/authorize",
        tokens=f"{_tokens(asker)}/oauth/token",
        scopes={"link": scopes, "receive": scopes, "bot": scopes},
    )


def _api(asker: Asker) -> str:
    return asker.address("api", API)


def _tokens(asker: Asker) -> str:
    return asker.address("tokens", _api(asker))


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _token(grant: Grant | None) -> str:
    if grant is None:
        raise Withdrawn("Dailymotion shows likes to their owner only; link the account again")
    return grant.access_token


def _refuses_token(answer: Response) -> bool:
    """Whether the token is at fault: 401, or any refusal that names it.

    https://developers.dailymotion.com/v0/reference (errors): WWW-Authenticate says invalid_token or expired_token.
    """
    if answer.status == 401:
        return True
    said = answer.headers.get("www-authenticate", "")
    return answer.status in (400, 403) and re.search(r'error="?(invalid|expired)_token', said) is not None


def _read(account: AccountRef, videos: Sequence[Mapping[str, Any]]) -> tuple[tuple[Liked, ...], tuple[str, ...]]:
    """The likes of public videos, and the ids of the others."""
    likes = tuple(Liked(by=account, thing=_thing(video), author=_owner(video)) for video in videos if _is_public(video))
    return likes, tuple(video["id"] for video in videos if not _is_public(video))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_public(video: Mapping[str, Any]) -> bool:
    return video.get("private") in (False, None)


def _thing(video: Mapping[str, Any]) -> ThingRef:
    tags = video.get("tags")
    said = [video.get("channel"), *(tags if isinstance(tags, list) else ())]
    return ThingRef(
        platform="dailymotion",
        native_id=video["id"],
        # Not the answer's own address, which may be plain http with a slug of the title behind the id.
        url=f"{SITE}/video/{video['id']}",
        title=_plain(video.get("title")),
        tags=tuple(dict.fromkeys(tag for each in said if (tag := _plain(each)))),
    )


def _owner(video: Mapping[str, Any]) -> AccountRef | None:
    """The video's owner; fields of fields come under their dotted names."""
    return _account(video, "owner.") if _is_id(video.get("owner.id")) else None


def _account(holder: Mapping[str, Any], prefix: str) -> AccountRef:
    name = holder.get(f"{prefix}username")
    handle = name if isinstance(name, str) and _NAME.fullmatch(name) else None
    return AccountRef(
        platform="dailymotion",
        account_id=holder[f"{prefix}id"],
        handle=handle or _plain(holder.get(f"{prefix}screenname")),
        # The site knows people by name only: /user/ID is not found there.
        url=f"{SITE}/{handle}" if handle else None,
    )


def _video_in(page: str) -> str | None:
    """The id of the video that an address is about."""
    parts = urlsplit(page)
    names = [each for each in parts.path.split("/") if each]
    asked = parse_qs(parts.query).get("video", [""])[0]
    found = ""
    if parts.port is not None:
        return None
    if parts.hostname in ("dai.ly", "www.dai.ly"):
        found = names[0] if len(names) == 1 else ""
    elif parts.hostname == "geo.dailymotion.com":
        found = asked
    elif parts.hostname in _HOSTS:
        if names and _LOCALE.fullmatch(names[0]) and names[1:2] == ["video"]:
            names = names[1:]
        match names:
            case ["video", number, *_] | ["embed" | "swf" | "crawler", "video", number] | ["swf", number]:
                found = number
            case ["playlist" | "player.html", *_]:
                found = asked
            case _:
                pass
    number = found.partition("_")[0]
    return number if _ID.fullmatch(number) else None


def _user_in(page: str) -> str | None:
    """The name in the address of somebody's channel."""
    parts = urlsplit(page)
    names = [each for each in parts.path.split("/") if each]
    if parts.hostname not in _HOSTS or parts.port is not None:
        return None
    if len(names) == 2 and names[0] == "user":
        names = names[1:]
    if len(names) != 1 or names[0].lower() in _NOT_USERS or not _NAME.fullmatch(names[0]):
        return None
    return names[0]


def _object(answer: Response) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise Garbled(f"Dailymotion's answer ({answer.status}) is no JSON object; treat it as no answer")
    if answer.status == 200 and "error" in value:
        raise Garbled("Dailymotion's answer is an error under status 200; treat it as no answer")
    return value


def _error(said: Mapping[str, Any]) -> Mapping[str, Any]:
    error = said.get("error")
    return error if isinstance(error, dict) else {}


def _plain(value: Any) -> str | None:
    """Text without the line breaks and entities of HTML that Dailymotion leaves in, fit for every database; or None."""
    if not isinstance(value, str):
        return None
    text = " ".join(html.unescape(_BREAK.sub(" ", value)).split())
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return None  # half of a surrogate pair, which JSON can spell
    return text if text and "\x00" not in text else None


connector = Dailymotion()
