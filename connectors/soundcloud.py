"""SoundCloud: a like on a public track or playlist, asked for with the access of the member who gave it.

Two lists, the newest like first, without times; the address of a next page names the time of the like before it.
Lists of SoundCloud's have lost likes for hours, and its count of an account's likes has others than they show: so
a listing is believed only if nothing more than before is missing from that count.

https://developers.soundcloud.com/docs/api/guide
https://github.com/soundcloud/api/blob/master/openapi/api.yaml
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from connectors import addresses
from connectors.base import Addresses, Asker, Card, Checked, Currently, KnownLike, Light, Secret
from connectors.client import Allowance, Garbled, Limited, Response, Unanswered
from connectors.linking import Admission, Departure, Expired, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.code import CodeFlow
from connectors.polling import Page, Plan, Proof, Still, Wanted
from connectors.reading import moment, plain_text
from core.events import AccountRef, Liked, ThingRef

API = "https://api.soundcloud.com"
SIGN_IN = "https://secure.soundcloud.com"
SITE = "https://soundcloud.com"

_KEY, _SECRET = "client_id", "client_secret"  # the settings' names
_TRACKS, _PLAYLISTS = _LISTS = ("tracks", "playlists")
_PER_PAGE = 200
_PAGES = 500
"""A list that does not end by then leads in a circle."""
_KNOWN = 50
"""How many of the newest likes of each list are remembered to find where the last reading began."""
_IN_A_ROW = 3
"""So many of them one after the other, as they were, are that place; one alone may have been liked anew."""
_TIMED = 10
"""Of how many new likes in one reading the time is asked for; one question each."""
_BELIEVED = timedelta(days=3)
"""A difference between the account's count and its lists that has lasted so long is no incident."""
_APP_TURN = timedelta(minutes=15)
"""Between two tokens for the application: there are 50 in 12 hours."""
_LONGEST_HREF = 1_500
_LARGEST_ANSWER = 8 * 1_048_576
"""Bytes; a playlist comes with all its tracks."""
_URN = re.compile(r"soundcloud:(tracks|playlists|users):([0-9]{1,20})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_LIKE_CURSOR = re.compile(r"([0-9T:.Z-]{20,30}),user-[a-z-]+-likes,[0-9]{3}-[0-9]{20}-([0-9]{20})", re.ASCII)
_HOSTS = frozenset({"soundcloud.com", "www.soundcloud.com", "m.soundcloud.com"})
_SHORT_HOSTS = frozenset({"on.soundcloud.com", "snd.sc", "soundcloud.app.goo.gl"})

# First parts of the site's own pages, which look like a user's name but are nobody's.
_NOT_USERS = frozenset(
    {
        "artists",
        "charts",
        "community-guidelines",
        "connect",
        "discover",
        "download",
        "feed",
        "for",
        "groups",
        "imprint",
        "jobs",
        "library",
        "logout",
        "mobile",
        "notifications",
        "pages",
        "people",
        "player",
        "premium",
        "press",
        "pro",
        "search",
        "settings",
        "signin",
        "stations",
        "stream",
        "tags",
        "terms-of-use",
        "tracks",
        "upload",
        "you",
    }
)

# Second parts of a user's own pages, which look like a track's name.
_NOT_TRACKS = frozenset(
    {
        "albums",
        "comments",
        "followers",
        "following",
        "groups",
        "likes",
        "popular-tracks",
        "reposts",
        "sets",
        "spotlight",
        "stats",
        "toptracks",
        "tracks",
    }
)

_PLAN = Plan(
    often=timedelta(minutes=10),
    seldom=timedelta(hours=2),
    whole=timedelta(hours=2),
    # There are two lists, each of its own order: the connector itself ends a reading where nothing new comes.
    newest_first=False,
    agreeing=3,
    agreeing_for=timedelta(minutes=30),
    # Of a track SoundCloud says whether this account likes it, of a playlist only that it is there.
    direct=False,
)

_CARD = Card(
    platform="soundcloud",
    title="SoundCloud",
    route="poll",
    abilities=frozenset({"likes", "unlikes", "linking", "resolves"}),
    what_counts="A like on a public track, album or playlist; taking it back takes it back here.",
    creator="The account that uploaded the track or made the playlist (which may be a label's).",
    account_id_pattern="soundcloud:users:[0-9]{1,20}",
    account_id_how="SoundCloud's account ids look like soundcloud:users:2065244: the field urn of"
    " https://api.soundcloud.com/resolve?url=https://soundcloud.com/NAME",
    secrets=(
        Secret(name=_KEY, how="The client id of your application, from https://soundcloud.com/you/apps"),
        Secret(name=_SECRET, how="The client secret beside it"),
    ),
    settings={
        "api": f"where questions are asked, instead of {API}",
        "tokens": f"where access is granted and refreshed (/oauth/token below it), instead of {SIGN_IN}",
        "site": f"where people sign in (/authorize below it), instead of {SIGN_IN}",
    },
    hosts=("api.soundcloud.com", "secure.soundcloud.com"),
    allowance=Allowance(requests=300, seconds=60),
    account_allowance=Allowance(requests=60, seconds=60),
    retries="Asks again from the newest likes that it knows; what was liked meanwhile is found.",
    ids_signed=True,
    # Only of the newest, and only while the addresses of pages name it.
    knows_like_time=False,
    has_order=False,
    setup=(
        "SoundCloud's terms keep its API from commercial use: ask for their consent first, with what your hub does.",
        "Open https://soundcloud.com/you/apps and register an application; each person may have one.",
        "(Where the page offers none: https://help.soundcloud.com/hc/en-us/articles/115003446727 says whom to ask.)",
        "Redirect URI: {callback}, exactly.",
        "Put client id and client secret into the hub's settings.",
    ),
    limits="Seen within 10 minutes to 2 hours. Unlikes after three complete listings over half an hour or more. 50"
    " application tokens in 12 hours, of which the hub takes 48 at most.",
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="The public API is in general not for commercial use, and some that is not commercial is refused"
            " too, among it bots on Discord. A hub that takes a fee needs SoundCloud's consent. Nothing is said about"
            " money that follows likes. Rests on the help page and the first part of the terms.",
            url="https://help.soundcloud.com/hc/en-us/articles/115003446727-SoundCloud-Public-APIs",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="accounts",
            colour="green",
            clause="Act only with the user's consent and let them take it back at any time. Members sign in at"
            " SoundCloud, and unlinking signs the hub out.",
            url="https://developers.soundcloud.com/policies",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://developers.soundcloud.com/docs/api/guide",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """What a reading that was carried to its end leaves for the next one."""

    known: Mapping[str, tuple[str, ...]]
    """The newest ids of each list, the newest first."""
    hidden: int | None = None
    """How many likes the account's own count had beyond what the lists showed; None: not known."""
    other: int | None = None
    """Another such number, believed once it has lasted."""
    since: datetime | None = None
    """Since when it has been that."""

    def spelled(self) -> str:
        said: dict[str, Any] = {name: ",".join(self.known[name]) for name in _LISTS} | {"hidden": self.hidden}
        if self.since is not None:
            said |= {"other": self.other, "since": self.since.isoformat()}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, spelled: str | None) -> _Cursor | None:
        """None where there is none that can be read: then both lists are read to their ends."""
        match _unpacked(spelled):
            case {"tracks": str(), "playlists": str(), "hidden": int() | None as hidden} as said:
                since = _time(said.get("since"))
                other = said.get("other")
                settled = since is None or not isinstance(other, int)
                return cls(
                    known={name: _ids(said[name]) for name in _LISTS},
                    hidden=hidden,
                    other=None if settled else other,
                    since=None if settled else since,
                )
        return None

    def weighed(self, hidden: int | None, at: datetime) -> tuple[_Cursor, bool]:
        """With the number that a complete listing shows now, and whether the listing is to be believed.

        No more may be hidden than before: likes that the account still counts were not taken back, they are not
        shown. A number that stays becomes the new measure, since deleted content may be counted for ever.
        """
        settled = replace(self, other=None, since=None)
        if hidden is None:
            return self, False
        if self.hidden is None:
            return replace(settled, hidden=hidden), False
        if hidden == self.hidden:
            return settled, True
        if self.since is None or hidden != self.other:
            return replace(self, other=hidden, since=at), hidden < self.hidden
        if at - self.since >= _BELIEVED:
            return replace(settled, hidden=hidden), True
        return self, hidden < self.hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a reading is: in which list, at which page's address (None: its first), and what came before."""

    name: str = _TRACKS
    href: str | None = None
    number: int = 1
    seen: int = 0
    cut: bool = False
    """A list was left where the likes known already begin, so this is no complete listing."""
    newest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def spelled(self) -> str:
        newest = {name: ",".join(ids) for name, ids in self.newest.items()}
        said = {"in": self.name, "at": self.href, "page": self.number, "seen": self.seen, "cut": self.cut} | newest
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, spelled: str | None) -> _Place:
        if spelled is None:
            return cls()
        match _unpacked(spelled):
            case {
                "in": "tracks" | "playlists" as name,
                "at": str() | None as href,
                "page": int(number),
                "seen": int(seen),
                "cut": bool(cut),
            } as said:
                newest = {each: _ids(said[each]) for each in _LISTS if isinstance(said.get(each), str)}
                return cls(name=name, href=href, number=number, seen=seen, cut=cut, newest=newest)
        raise Garbled("the mark of a SoundCloud page is none; read the lists from their beginning")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One page as SoundCloud says it: tracks or playlists with their numbers, and where the next page is."""

    entries: Sequence[tuple[str, Mapping[str, Any]]]
    following: str | None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(number for number, _ in self.entries)


class SoundCloud:
    """The connector; it has no state."""

    @property
    def card(self) -> Card:
        """The facts about SoundCloud."""
        return _CARD

    @property
    def plan(self) -> Plan:
        """Three complete listings, half an hour apart at least, and then a question about the track itself."""
        return _PLAN

    # Linking

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """SoundCloud knows no scopes: who signs in lends all that their account may do, and the hub only reads."""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """Whose access it is, by `/me`; kept only to read likes with."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        try:
            answer = await self._ask(asker, f"{_api(asker)}/me", token=tokens.access_token)
        except Expired:
            raise Unanswered(
                "SoundCloud does not take the access that it has just given; sign in again later"
            ) from None
        account = _account(_object(answer)) if answer.status == 200 else None
        if account is None:
            raise NotAdmitted("SoundCloud did not say whose account this is. Please try again.")
        if intent == "receive":
            # Who only wants to receive is known by now, and an access that can do anything is not kept for nothing.
            with suppress(Unanswered):
                await self.revoke(asker, tokens.grant(account))
            return Admission(account=account)
        return Admission(account=account, grants=(tokens.grant(account),))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """By the refresh token, which is used up by it: a second use is refused and ends the access."""
        tokens = await _flow(asker).refresh(asker, grant)
        return tokens.grant(grant.account, more=grant.more)

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Signing out ends the token; that it is not taken any more is as good.

        https://developers.soundcloud.com/docs/api/guide#auth-signout
        """
        await asker.client.request(
            "POST",
            f"{_tokens(asker)}/sign-out",
            platform="soundcloud",
            json={"access_token": grant.access_token},
            repeatable=True,
        )

    # Polling

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """One page of tracks, and when these have ended one of playlists.

        A reading that need not be whole leaves a list where three of the newest likes of the last reading follow
        each other as they did then. New likes are timed where SoundCloud's page addresses name the time.
        """
        _token(wanted.grant)
        cursor, place = _Cursor.read(wanted.mark.cursor), _Place.read(wanted.mark.page)
        listed = await self._listed(asker, wanted, place.name, place.href)
        known = cursor.known[place.name] if cursor else ()
        times: Mapping[str, datetime] = {}
        if place.href is None:
            place = replace(place, newest={**place.newest, place.name: listed.ids[:_KNOWN]})
            if cursor is not None:
                times = await self._times(asker, wanted, place.name, _before(listed.ids, known))
        likes, besides = _read(wanted.account, place.name, listed, times)
        seen = place.seen + len(listed.entries)
        reached = listed.following is not None and _reach(listed.ids, known) and not wanted.mark.whole
        left, cut = listed.following is None or reached, place.cut or reached
        if not left or place.name == _TRACKS:
            following = replace(place, href=listed.following, number=place.number + 1, seen=seen)
            if left:
                following = replace(following, name=_PLAYLISTS, href=None, cut=cut)
            return Page(likes=likes, besides=besides, more=following.spelled())
        kept = _Cursor(known={name: place.newest.get(name, ()) for name in _LISTS})
        if cursor is not None:
            kept = replace(kept, hidden=cursor.hidden, other=cursor.other, since=cursor.since)
        proves: Proof = "nothing"
        total: int | None = None
        if not cut:
            counted = await self._counted(asker, wanted)
            hidden = None if counted is None else counted - seen
            kept, believed = kept.weighed(hidden, asker.clock())
            if cursor is None:
                # Of an account that was never read nothing is missed; the hub reads it again if the count differs.
                proves, total = "everything", counted
            elif believed:
                proves, total = "everything", seen
        return Page(likes=likes, besides=besides, cursor=kept.spelled(), proves=proves, total=total)

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Of a track SoundCloud says whether this account likes it, in `user_favorite`; of a playlist nothing.

        https://github.com/soundcloud/api/issues/194
        """
        named = _URN.fullmatch(like.thing.native_id)
        if named is None or named[1] not in _LISTS:
            return "unknown"
        token = _token(grant)
        answer = await self._ask(asker, f"{_api(asker)}/{named[1]}/{quote(named[0])}", token=token, account=like.by)
        said = _object(answer)
        if answer.status in (404, 410) and said.get("code") == answer.status:
            return "gone"
        if answer.status != 200 or _number(said, named[1]) != named[2]:
            return "unknown"
        if named[1] == _TRACKS and said.get("user_favorite") is True:
            return "liked"
        if said.get("sharing") == "private":
            return "gone"
        if named[1] == _PLAYLISTS:
            return "unliked"
        return "unliked" if said.get("user_favorite") is False else "unknown"

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """A track, playlist or profile; its number is in the addresses of players only.

        Else it is a thing of the web by the address that SoundCloud itself gives as `permalink_url`.
        """
        page = addresses.canonical(url)
        if page is None:
            return None
        if (numbered := _numbered_in(page)) is not None:
            kind, number = numbered
            urn = f"soundcloud:{kind}:{number}"
            if kind == "users":
                account = AccountRef(platform="soundcloud", account_id=urn)
                return ThingRef(platform="soundcloud", native_id=f"user:{urn}", url=f"{API}/users/{number}"), account
            return ThingRef(platform="soundcloud", native_id=urn, url=f"{API}/{kind}/{number}"), None
        if (address := _page_in(page)) is not None:
            title = urlsplit(address).path.strip("/").replace("/sets/", "/") or None
            return ThingRef(platform="web", native_id=address, url=address, title=title), None
        return None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The public track, playlist or account at an address, by SoundCloud's `/resolve`, as the application."""
        named = self.resolve(url)
        if named is None:
            return None
        thing, _ = named
        if thing.platform == "soundcloud":
            kind, number = thing.native_id.split(":")[-2:]
            address, params = f"{_api(asker)}/{kind}/soundcloud:{kind}:{number}", None
        else:
            address, params = f"{_api(asker)}/resolve", {"url": thing.url}
        answer = await self._ask(asker, address, params, token=await self._app_token(asker), ours=True)
        if answer.status == 401:
            asker.memory.pop("app", None)
            raise Unanswered("SoundCloud does not take the application's token any more; asked again with a new one")
        said = _object(answer)
        if answer.status == 200:
            return _found(said)
        if answer.status in (403, 404):
            return None
        raise Unanswered(f"SoundCloud answers {answer.status} to an address; ask again later")

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Never: only the member's own access shows a like."""
        return None

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Whether SoundCloud gives the application a token; the redirect address is seen only by who signs in."""
        try:
            await self._app_token(asker)
        except _NotOurs as refused:
            remedy = "copy client id and secret from https://soundcloud.com/you/apps into the settings"
            return (Checked(what="the application", ok=False, text=str(refused), remedy=remedy),)
        text = f"SoundCloud knows it; its Redirect URI has to be {addresses.callback}"
        return (Checked(what="the application", ok=True, text=text),)

    # Questions

    async def _listed(
        self, asker: Asker, wanted: Wanted, name: str, href: str | None, *, limit: int = _PER_PAGE
    ) -> _Listed:
        """One page of a list, if all its entries are what the list is of and its next page is SoundCloud's."""
        # Without "blocked", what is not licensed for where the hub is would vanish.
        asked = {"limit": str(limit), "linked_partitioning": "true", "access": "playable,preview,blocked"}
        url = f"{_api(asker)}/me/likes/{name}" if href is None else _within(asker, href)
        answer = await self._ask(
            asker, url, asked if href is None else None, token=_token(wanted.grant), account=wanted.account
        )
        if answer.status != 200:
            raise Unanswered(f"SoundCloud answers {answer.status} instead of the likes; ask again later")
        said = _object(answer)
        collection = said.get("collection")
        if not isinstance(collection, list):
            raise Garbled("SoundCloud's page of likes has no collection; treat it as no answer")
        following = said.get("next_href")
        if following is not None and _within(asker, following) == href:
            raise Garbled("SoundCloud's page of likes leads on to itself; treat it as no answer")
        entries = [_entry(each, name) for each in collection]
        if len(dict(entries)) < len(entries):
            raise Garbled("SoundCloud's page lists a like twice; treat it as no answer")
        return _Listed(entries=entries, following=following)

    async def _times(self, asker: Asker, wanted: Wanted, name: str, ids: Sequence[str]) -> dict[str, datetime]:
        """When the newest likes were given, from the address behind a page that ends with each of them.

        Pages of one entry, one after the other: as far as the addresses can be read, and the list stays as it is.
        """
        times: dict[str, datetime] = {}
        href: str | None = None
        for number in ids[:_TIMED]:
            page = await self._listed(asker, wanted, name, href, limit=1)
            at = _liked_at(page.following, number) if page.ids == (number,) else None
            if at is None or at > min(times.values(), default=at):
                break
            times[number] = at
            href = page.following
        return times

    async def _counted(self, asker: Asker, wanted: Wanted) -> int | None:
        """How many public likes the account has by its own count, of tracks and playlists together.

        https://github.com/soundcloud/api/issues/59
        """
        answer = await self._ask(asker, f"{_api(asker)}/me", token=_token(wanted.grant), account=wanted.account)
        if answer.status != 200:
            raise Unanswered(f"SoundCloud answers {answer.status} instead of the account; ask again later")
        said = _object(answer)
        if f"soundcloud:users:{_number(said, 'users')}" != wanted.account.account_id:
            raise Garbled("SoundCloud's answer is about another account; treat it as no answer")
        match said.get("public_favorites_count"):
            case bool():
                return None
            case int(count) if 0 <= count < 10**9:
                return count
        return None

    async def _ask(
        self,
        asker: Asker,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        token: str,
        account: AccountRef | None = None,
        ours: bool = False,
    ) -> Response:
        """SoundCloud's answer; Expired if it does not take the token (``ours``: of the application, not a member's)."""
        answer = await asker.client.request(
            "GET",
            url,
            platform="soundcloud",
            account=account.account_id if account else None,
            headers={"authorization": f"OAuth {token}", "accept": "application/json; charset=utf-8"},
            params=params,
            largest=_LARGEST_ANSWER,
        )
        if answer.status == 401 and not ours:
            raise Expired("SoundCloud does not take the access token")
        return answer

    async def _app_token(self, asker: Asker) -> str:
        """The application's own token, kept while it lasts: SoundCloud gives 50 in 12 hours, to all our processes.

        https://developers.soundcloud.com/docs/api/rate-limits
        """
        async with asker.memory.setdefault("app turn", asyncio.Lock()):
            token, ends = asker.memory.get("app", ("", asker.clock()))
            if asker.clock() < ends:
                return str(token)
            wait = (asker.memory.get("app after", asker.clock()) - asker.clock()).total_seconds()
            if wait > 0:
                raise Limited("SoundCloud gives few tokens to an application; asked later", retry_after=wait)
            asker.memory["app after"] = asker.clock() + _APP_TURN
            token, seconds = await self._new_app_token(asker)
            asker.memory["app"] = token, asker.clock() + timedelta(seconds=seconds * 0.9)
            return token

    async def _new_app_token(self, asker: Asker) -> tuple[str, int]:
        pair = base64.b64encode(f"{asker.secret(_KEY)}:{asker.secret(_SECRET)}".encode()).decode()
        answer = await asker.client.request(
            "POST",
            f"{_tokens(asker)}/oauth/token",
            platform="soundcloud",
            headers={"authorization": f"Basic {pair}", "accept": "application/json; charset=utf-8"},
            form={"grant_type": "client_credentials"},
            repeatable=False,
        )
        if answer.status in (400, 401, 403):
            raise _NotOurs(f"SoundCloud gives this application no token ({answer.status})")
        match answer.json():
            case {"access_token": str(token), "expires_in": int(seconds)} if token.isascii() and token.isprintable():
                if answer.status == 200 and token and 0 < seconds < 10**7:
                    return token, seconds
        raise Garbled("SoundCloud's answer has no token for the application; treat it as no answer")


class _NotOurs(Unanswered):
    """The application's id and secret are not taken."""


def _flow(asker: Asker) -> CodeFlow:
    return CodeFlow(
        platform="soundcloud",
        title="SoundCloud",
        client_id=asker.secret(_KEY),
        client_secret=asker.secret(_SECRET),
        authorize=f"{asker.address('site', SIGN_IN)}/authorize",
        tokens=f"{_tokens(asker)}/oauth/token",
        pkce=True,
    )


def _api(asker: Asker) -> str:
    return asker.address("api", API)


def _tokens(asker: Asker) -> str:
    return asker.address("tokens", SIGN_IN)


def _token(grant: Grant | None) -> str:
    if grant is None:
        raise Withdrawn("SoundCloud shows these lists to their owner only; link the account again")
    return grant.access_token


def _within(asker: Asker, href: Any) -> str:
    """The address of a next page, if it is at the API itself: the member's token goes there."""
    if isinstance(href, str) and len(href) <= _LONGEST_HREF and href.isascii() and href.isprintable():
        try:
            there, here = urlsplit(href), urlsplit(_api(asker))
            same = (there.scheme, there.netloc) == (here.scheme, here.netloc) and "@" not in there.netloc
        except ValueError:
            same = False
        if same and " " not in href and "\\" not in href and there.path.startswith(f"{here.path}/"):
            return href
    raise Garbled("SoundCloud's next page is not at SoundCloud's API; treat the page as no answer")


def _entry(said: Any, name: str) -> tuple[str, Mapping[str, Any]]:
    """A track or a playlist and its number; some answers wrap it: {"track": {...}}."""
    single = name.removesuffix("s")
    entry = said.get(single, said) if isinstance(said, dict) else None
    number = _number(entry, name) if isinstance(entry, dict) else None
    if number is None or not isinstance(entry, dict):
        raise Garbled(f"an entry of SoundCloud's liked {name} has no number; treat the page as no answer")
    return number, entry


def _number(entry: Mapping[str, Any], name: str) -> str | None:
    """The number in the urn; in older answers the id alone."""
    match entry:
        case {"urn": str(urn)}:
            named = _URN.fullmatch(urn)
            return named[2].lstrip("0") or None if named and named[1] == name else None
        case {"urn": _}:
            return None
        case {"id": int(number)} if not isinstance(number, bool) and 0 < number < 2**63:
            return str(number)
    return None


def _before(ids: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    """The ids ahead of the first that is known."""
    there = set(known)
    return ids[: next((place for place, number in enumerate(ids) if number in there), len(ids))]


def _reach(ids: Sequence[str], known: Sequence[str]) -> bool:
    """Whether a page has come to where the last reading began."""
    rows = {tuple(known[place : place + _IN_A_ROW]) for place in range(len(known) - _IN_A_ROW + 1)}
    return any(tuple(ids[place : place + _IN_A_ROW]) in rows for place in range(len(ids) - _IN_A_ROW + 1))


def _liked_at(href: str | None, number: str) -> datetime | None:
    """The time of the like that a page ended with; None if its next page's address does not tell, or is another's.

    https://github.com/soundcloud/api: ...?cursor=2024-06-01T16:23:38.001Z,user-track-likes,000-ACCOUNT-TRACK
    """
    if href is None:
        return None
    query = parse_qs(urlsplit(href).query)
    named = _LIKE_CURSOR.fullmatch(query.get("cursor", [""])[0])
    return _time(named[1]) if named and named[2].lstrip("0") == number else None


def _read(
    account: AccountRef, name: str, listed: _Listed, times: Mapping[str, datetime]
) -> tuple[tuple[Liked, ...], tuple[str, ...]]:
    """The likes of public things, and the ids of the others."""
    likes: list[Liked] = []
    besides: list[str] = []
    for number, entry in listed.entries:
        thing = _thing(entry, name, number)
        if thing is None:
            besides.append(f"soundcloud:{name}:{number}")
        else:
            likes.append(Liked(by=account, thing=thing, author=_account(entry.get("user")), at=times.get(number)))
    return tuple(likes), tuple(besides)


def _thing(entry: Mapping[str, Any], name: str, number: str) -> ThingRef | None:
    """A public track or playlist; None: it is private, or has no page that somebody else could open."""
    page = _site_page(entry.get("permalink_url"))
    if entry.get("sharing") not in ("public", None) or page is None:
        return None
    return ThingRef(
        platform="soundcloud",
        native_id=f"soundcloud:{name}:{number}",
        url=page,
        title=plain_text(entry.get("title")),
        tags=_tags(entry),
    )


def _account(user: Any) -> AccountRef | None:
    """An account by its urn; None where there is none (a deleted uploader)."""
    number = _number(user, "users") if isinstance(user, dict) else None
    if number is None:
        return None
    permalink = user.get("permalink")
    return AccountRef(
        platform="soundcloud",
        account_id=f"soundcloud:users:{number}",
        handle=permalink if isinstance(permalink, str) and _NAME.fullmatch(permalink) else None,
        url=_site_page(user.get("permalink_url")),
    )


def _found(said: Mapping[str, Any]) -> tuple[ThingRef, AccountRef | None] | None:
    """What `/resolve` led to."""
    kind = {"track": _TRACKS, "playlist": _PLAYLISTS, "user": "users"}.get(str(said.get("kind")))
    number = _number(said, kind) if kind else None
    if kind is None or number is None:
        return None
    if kind == "users":
        account = _account(said)
        if account is None or account.url is None:
            return None
        title = plain_text(said.get("username")) or account.handle
        native_id = f"user:{account.account_id}"
        return ThingRef(platform="soundcloud", native_id=native_id, url=account.url, title=title), account
    thing = _thing(said, kind, number)
    return (thing, _account(said.get("user"))) if thing is not None else None


def _site_page(url: Any) -> str | None:
    """The address of a page on soundcloud.com as the site itself spells it, without queries."""
    page = addresses.canonical(url) if isinstance(url, str) else None
    if page is None:
        return None
    parts = urlsplit(page)
    path = parts.path.rstrip("/")
    return f"{SITE}{path}" if parts.hostname in _HOSTS and parts.port is None and path else None


def _numbered_in(page: str) -> tuple[str, str] | None:
    """Kind and number in the address of the API, or of a player for it."""
    parts = urlsplit(page)
    if parts.hostname == "w.soundcloud.com":
        inner = addresses.canonical(parse_qs(parts.query).get("url", [""])[0])
        if inner is None:
            return None
        parts = urlsplit(inner)
    if parts.port is not None or parts.hostname not in ("api.soundcloud.com", "api-v2.soundcloud.com"):
        return None
    match [each for each in parts.path.replace("%3A", ":").split("/") if each]:
        case ["tracks" | "playlists" | "users" as kind, name]:
            number = name.removeprefix(f"soundcloud:{kind}:")
            return (kind, number) if _NUMBER.fullmatch(number) and not number.startswith("0") else None
    return None


def _page_in(page: str) -> str | None:
    """The address of a track's, a playlist's or a person's page, or a short link to one."""
    parts = urlsplit(page)
    if parts.hostname == "w.soundcloud.com":
        inner = addresses.canonical(parse_qs(parts.query).get("url", [""])[0])
        return _page_in(inner) if inner is not None and urlsplit(inner).hostname in _HOSTS else None
    names = [each for each in parts.path.split("/") if each]
    if parts.port is not None or not all(_NAME.fullmatch(each) for each in names):
        return None
    if parts.hostname in _SHORT_HOSTS:
        return f"https://{parts.hostname}/{names[0]}" if len(names) == 1 else None
    if parts.hostname not in _HOSTS or not names or names[0].lower() in _NOT_USERS:
        return None
    if len(names) > 2 and names[-1].startswith("s-"):
        names.pop()  # it opens what is private: it is nobody's to keep
    match names:
        case [_] | [_, "sets", _]:
            pass
        case [_, track] if track.lower() not in _NOT_TRACKS:
            pass
        case _:
            return None
    return f"{SITE}/{'/'.join(names)}"


def _object(answer: Response) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise Garbled(f"SoundCloud's answer ({answer.status}) is no JSON object; treat it as no answer")
    if answer.status == 200 and isinstance(value.get("errors"), list) and "collection" not in value:
        raise Garbled("SoundCloud's answer is an error under status 200; treat it as no answer")
    return value


def _unpacked(spelled: str | None) -> Any:
    try:
        return json.loads(spelled) if spelled is not None else None
    except (ValueError, RecursionError):
        return None


def _ids(joined: str) -> tuple[str, ...]:
    return tuple(each for each in joined.split(",") if _NUMBER.fullmatch(each))[:_KNOWN]


def _time(text: Any) -> datetime | None:
    """Either of SoundCloud's spellings: 2019/01/15 15:40:49 +0000, or ISO 8601 with a zone."""
    if not isinstance(text, str):
        return None
    try:
        if "/" in text:
            return datetime.strptime(text, "%Y/%m/%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment(text)


def _tags(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The genre, and the words of tag_list, of which those with spaces stand in quotation marks."""
    listed = entry.get("tag_list")
    words: list[str] = []
    if isinstance(listed, str) and len(listed) <= 5_000:
        try:
            words = shlex.split(listed)
        except ValueError:
            words = listed.replace('"', " ").split()  # an apostrophe, or a mark without its pair
    said = [entry.get("genre"), *words]
    return tuple(dict.fromkeys(tag for each in said if (tag := plain_text(each)) and len(tag) <= 200))


connector = SoundCloud()
