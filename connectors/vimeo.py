"""Vimeo: a like on a video, read with the member's own access, with the time at which they liked.

Nothing tells of likes by itself, so `/me/likes` is read page by page. Its order is not documented: a short reading
ends only with a page that is in order and older than what is known, and a complete one is made every day.

https://developer.vimeo.com/api/reference/likes
https://developer.vimeo.com/api/authentication
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors import addresses
from connectors.base import Addresses, Asker, Card, Checked, Currently, KnownLike, Light, Secret
from connectors.client import Allowance, Garbled, Response, Unanswered
from connectors.linking import Admission, Departure, Expired, Grant, Intent, Withdrawn
from connectors.oauth.code import CodeFlow, Tokens
from connectors.polling import Page, Plan, Still, Wanted
from connectors.reading import moment, plain_text
from core.events import AccountRef, Liked, ThingRef

API = "https://api.vimeo.com"
"""Where Vimeo answers questions, signs people in and gives tokens."""

_PLATFORM = "vimeo"
_PER_PAGE = 100
_MOST = 10**8
"""Likes; a larger count is none."""
_LARGEST_ANSWER = 4 * 1_048_576
"""Bytes; a page of a hundred videos with all their tags."""
_OVERLAP = timedelta(hours=1)
"""How far a short reading goes back behind the newest like that is known."""
_ACCEPT = "application/vnd.vimeo.*+json;version=3.4"
_USER_FIELDS = "uri,name,link"
_VIDEO_FIELDS = (
    "uri,name,link,privacy.view,tags.name,tags.canonical,categories.name,metadata.interactions.like,"
    "user.uri,user.name,user.link"
)
"""Asking for fields alone raises the allowance: https://developer.vimeo.com/guidelines/rate-limiting"""
_SCOPES = ("public", "private")
_APPLICATION = "application"
"""Under this name the hub's own token has a budget of its own, beside the members'."""

_VIDEO_URI = re.compile(r"/videos/([1-9][0-9]{0,17})(?::[0-9a-zA-Z]+)?")
_USER_URI = re.compile(r"/users/([1-9][0-9]{0,17})")
_ID = re.compile(r"[1-9][0-9]{0,17}")
_HASH = re.compile(r"[0-9a-f]{8,16}")
_SPELLED = re.compile(r"([0-9]{1,6}) ([0-9]{1,9}) ([-+:.0-9T]{1,40})")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_HOSTS = ("vimeo.com", "www.vimeo.com", "m.vimeo.com")
_PLAYER = "player.vimeo.com"
_PLACES = re.compile(
    r"\A(?:channels/[^/]+|groups/[^/]+/videos|(?:album|showcase)/[0-9]+/video|ondemand/[^/]+|categories/.+/videos?"
    r"|manage/videos|videos?|m)/(?=[0-9])"
)
"""What can stand before a video's number in a path."""

_HIDDEN = frozenset({"nobody", "contacts", "users", "password"})
"""Values of privacy.view under which only some can see a video; it is there, but makes no like."""

# First parts of vimeo.com's own pages, which look like a member's name but are nobody's.
_NOT_MEMBERS = frozenset(
    {
        "about",
        "album",
        "api",
        "apiterms",
        "blog",
        "business",
        "categories",
        "channels",
        "cookie_policy",
        "create",
        "customers",
        "dmca",
        "enterprise",
        "event",
        "explore",
        "features",
        "for-hire",
        "forums",
        "groups",
        "help",
        "home",
        "jobs",
        "join",
        "library",
        "live",
        "log_in",
        "login",
        "manage",
        "ondemand",
        "partners",
        "press",
        "pricing",
        "privacy",
        "pro",
        "professionals",
        "review",
        "search",
        "settings",
        "showcase",
        "site_map",
        "solutions",
        "stats",
        "stock",
        "store",
        "tag",
        "terms",
        "tools",
        "tv",
        "upgrade",
        "upload",
        "user",
        "users",
        "video",
        "videos",
        "watch",
        "work",
    }
)
# Second parts under a member's name that are lists and no works.
_NOT_WORKS = frozenset({"about", "albums", "appears", "channels", "collections", "followers", "following", "likes"}) | {
    "groups",
    "portfolios",
    "videos",
}

_CARD = Card(
    platform=_PLATFORM,
    title="Vimeo",
    route="poll",
    abilities=frozenset({"likes", "unlikes", "linking", "resolves"}),
    what_counts="A like on a video that everybody, or everybody with its link, can see; unliking takes it back.",
    creator="The member whose video it is.",
    account_id_pattern="[0-9]+",
    account_id_how="Vimeo's account ids are numbers: the one in `uri` at https://api.vimeo.com/users/NAME",
    secrets=(
        Secret(name="client_id", how="The app's Client identifier, on its page at https://developer.vimeo.com/apps."),
        Secret(name="client_secret", how="One of the app's Client secrets, on the same page."),
    ),
    settings={"api": f"Where Vimeo is asked and signed in at, if not at {API}."},
    hosts=("api.vimeo.com",),
    allowance=Allowance(requests=1_200, seconds=60),
    account_allowance=Allowance(requests=25, seconds=60),
    retries="None needed: a reading begins where the last one ended, however long ago, and one a day is complete.",
    knows_like_time=True,
    setup=(
        "Open https://developer.vimeo.com/apps/new and create an app that people other than you can use.",
        "App page, Your callback URLs: add {callback}, exactly so.",
        "Put Client identifier and one Client secret from the same page into the hub's settings.",
    ),
    limits="A like is seen within 15 minutes, of a quiet account within 4 hours. Vimeo counts requests a minute for "
    "each member by itself, so it sets no number of members.",
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="The licence of the API that could be read (of 2012) lets Vimeo limit or end an app's access at any "
            "time and for any reason; nothing was found that speaks of money following likes. The terms of today "
            "could not be read from here: read them before you open the hub to others.",
            url="https://vimeo.com/apiterms",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="requests",
            colour="green",
            clause="Asks apps to keep to the published API and its rate limits, to ask for needed fields only, and not "
            "to scrape pages. The hub does all of it.",
            url="https://help.vimeo.com/hc/en-us/articles/360042882251-API-Best-Practices",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://developer.vimeo.com/api/reference/likes",
)

_PLAN = Plan(
    often=timedelta(minutes=15),
    seldom=timedelta(hours=4),
    whole=timedelta(days=1),
    newest_first=False,
)


class Vimeo:
    """The connector; it has no state."""

    @property
    def card(self) -> Card:
        """The facts about Vimeo."""
        return _CARD

    @property
    def plan(self) -> Plan:
        """Every 15 minutes for whoever likes, and completely once a day."""
        return _PLAN

    # Signing in

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """Vimeo's page that asks for the scopes public and private (the latter holds a member's own lists)."""
        return _flow(asker).departure(state=state, callback=callback, intent=intent)

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """The account is told in the token's own answer, by its number."""
        tokens = await _flow(asker).exchange(asker, query=query, kept=kept, callback=callback)
        account = _account(tokens.raw.get("user"))
        if account is None:
            raise Garbled("Vimeo's token answer names no member; sign in again")
        return Admission(account=account, grants=(_grant(tokens, account),))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """Vimeo's tokens have no end of their own; where one came with a refresh token, that is used."""
        tokens = await _flow(asker).refresh(asker, grant)
        return _grant(tokens, grant.account)

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Ends the token; one that has ended already is refused, which is as good."""
        await self._ask(asker, "DELETE", "/tokens", token=grant.access_token, account=grant.account.account_id)

    # Reading likes

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """One page of a hundred likes."""
        place = _Place.read(wanted.mark.page)
        listed = await self._page(asker, wanted, place.number)
        if place.total is not None and listed.total < place.total:
            raise Garbled("Vimeo's list became shorter while it was read: what moved up may have been passed over")
        likes: list[Liked] = []
        besides = [f"withheld:{place.number}:{each}" for each in range(listed.missing)]
        times = [_liked_at(entry) for entry in listed.entries.values()]
        for (native_id, entry), at in zip(listed.entries.items(), times, strict=True):
            if _is_hidden(entry) or _dig(entry, "metadata", "interactions", "like", "added") is False:
                besides.append(native_id)
            else:
                likes.append(Liked(by=wanted.account, thing=_thing(entry), author=_account(entry.get("user")), at=at))
        known = moment(wanted.mark.cursor)
        told = [at for at in (*times, known, place.newest) if at is not None]
        # A time in the future would end every short reading from then on.
        newest = min(max(told), asker.clock()) if told else None
        enough = known is not None and not wanted.mark.whole and _all_before(times, known - _OVERLAP)
        following = _Place(number=place.number + 1, total=listed.total, newest=newest)
        return Page(
            likes=tuple(likes),
            besides=tuple(besides),
            cursor=newest.isoformat() if newest else None,
            more=following.spelled() if listed.leads_on and not enough else None,
            proves="nothing" if listed.leads_on else "everything",
            total=listed.total,
        )

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Vimeo answers about one like by 204 or 404; the latter also where the video is gone or out of sight."""
        if not _ID.fullmatch(like.thing.native_id):
            return "unknown"
        if grant is None:
            raise Withdrawn("Vimeo tells a member's likes to nobody else: the account has to be linked")
        answer = await self._with(asker, grant, f"/me/likes/{like.thing.native_id}")
        if answer.status == 204:
            return "liked"
        if answer.status != 404:
            raise _refusal(answer)
        params = {"fields": "uri,metadata.interactions.like"}
        answer = await self._with(asker, grant, f"/videos/{like.thing.native_id}", params)
        if answer.status in (403, 404):
            return "gone"
        if answer.status != 200:
            raise _refusal(answer)
        video = _object(answer)
        if _video_id(video) != like.thing.native_id:
            return "unknown"
        return "unknown" if _dig(video, "metadata", "interactions", "like", "added") is True else "unliked"

    async def _page(self, asker: Asker, wanted: Wanted, number: int) -> _Listed:
        """A sound page; asked for twice if the first answer is short of what it promises.

        An answer cut short under way comes whole the second time. What stays away Vimeo counts and does not show
        (a private or deleted video): it is there, by another name, and `still` tells whether a like is among it.
        """
        if wanted.grant is None:
            raise Withdrawn("Vimeo tells a member's likes to nobody else: the account has to be linked")
        params = {"sort": "date", "per_page": str(_PER_PAGE), "page": str(number), "fields": _VIDEO_FIELDS}
        listed = _listed(await self._with(asker, wanted.grant, "/me/likes", params), number)
        if listed.missing == 0:
            return listed
        again = _listed(await self._with(asker, wanted.grant, "/me/likes", params), number)
        if again.missing and list(again.entries) != list(listed.entries):
            raise Garbled("Vimeo's page has fewer likes than it says; it is read again later")
        return again

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """A video by the number in its address; members' names and works under them as pages of the web.

        Who made it no address tells: what stands before the number is what somebody typed.
        """
        page = addresses.canonical(url)
        if page is None:
            return None
        parts = urlsplit(page)
        path = parts.path.strip("/")
        if parts.port is not None or parts.hostname not in (*_HOSTS, _PLAYER):
            return None
        if parts.hostname == _PLAYER:
            hashed = parse_qs(parts.query).get("h", [""])[0]
            path = f"{path}/{hashed}" if path.startswith("video/") else ""
        names = _PLACES.sub("", path, count=1).split("/")
        if _ID.fullmatch(names[0]):
            hashed = names[1] if len(names) > 1 and _HASH.fullmatch(names[1]) else ""
            address = f"https://vimeo.com/{names[0]}{'/' if hashed else ''}{hashed}"
            return ThingRef(platform=_PLATFORM, native_id=names[0], url=address), None
        if (
            names[0].lower() in _NOT_MEMBERS
            or names[0].startswith("0")
            or len(names) > 2
            or not all(_NAME.fullmatch(each) for each in names)
        ):
            return None
        if len(names) == 2 and names[1].lower() in _NOT_WORKS:
            return None
        address = f"https://vimeo.com/{'/'.join(names)}"
        return ThingRef(platform="web", native_id=address, url=address, title="/".join(names)), None

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Vimeo tells a member's likes to that member only, so nothing can be said without their access."""
        return None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The video or member at an address, asked for with the hub's own token, which sees what everybody sees."""
        named = self.resolve(url)
        if named is None:
            return None
        names = urlsplit(named[0].url).path.strip("/").split("/")
        if named[0].platform == _PLATFORM:
            # An unlisted video is found by its number only together with its hash.
            found = await self._public(asker, f"/videos/{':'.join(names)}", {"fields": _VIDEO_FIELDS})
            return _shown(found) if found is not None and _video_id(found) == names[0] else None
        if len(names) == 1:
            user = _account(await self._public(asker, f"/users/{names[0]}", {"fields": _USER_FIELDS}))
            if user is None or user.handle is None or user.handle.lower() != names[0].lower():
                return None
            return _profile(user), user
        found = await self._public(asker, "/videos", {"links": named[0].url, "fields": _VIDEO_FIELDS})
        match (found or {}).get("data"):
            case [dict(video)] if _dig(video, "link") == named[0].url:
                return _shown(video)
        return None

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """Client identifier and secret are tried by getting a token of the hub's own, which sees public videos."""
        what = "Client identifier and secret"
        if not all(_application(asker)):
            missing = "set connectors.vimeo.client_id and client_secret from https://developer.vimeo.com/apps"
            return [Checked(what=what, ok=False, text="not both are set", remedy=missing)]
        if await self._token(asker) is None:
            remedy = "copy both again from the app's page at https://developer.vimeo.com/apps"
            return [Checked(what=what, ok=False, text="Vimeo does not accept them", remedy=remedy)]
        text = f"Vimeo accepts them; the app's callback URLs must hold {addresses.callback} (Vimeo tells only members)"
        return [Checked(what=what, ok=True, text=text)]

    # Asking

    async def _ask(
        self,
        asker: Asker,
        method: str,
        path: str,
        *,
        token: str,
        account: str,
        params: Mapping[str, str] | None = None,
    ) -> Response:
        return await asker.client.request(
            method,
            f"{_api(asker)}{path}",
            platform=_PLATFORM,
            account=account,
            headers={"authorization": f"bearer {token}", "accept": _ACCEPT},
            params=params,
            largest=_LARGEST_ANSWER,
        )

    async def _with(self, asker: Asker, grant: Grant, path: str, params: Mapping[str, str] | None = None) -> Response:
        """An answer to a member, of any status but 401."""
        account = grant.account.account_id
        answer = await self._ask(asker, "GET", path, token=grant.access_token, account=account, params=params)
        if answer.status == 401:
            reason = "Vimeo does not take this access any more"
            raise Expired(reason) if grant.refresh_token else Withdrawn(reason)
        return answer

    async def _public(self, asker: Asker, path: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        """What everybody may see; None if there is nothing such."""
        token = asker.memory.get("token") or await self._token(asker)
        if token is None:
            raise Unanswered("Vimeo does not accept connectors.vimeo.client_id and client_secret; put valid ones there")
        answer = await self._ask(asker, "GET", path, token=token, account=_APPLICATION, params=params)
        if answer.status == 401:
            asker.memory.pop("token", None)
            raise Unanswered("Vimeo does not take the hub's own token any more; another one is got next time")
        if answer.status in (403, 404):
            return None
        if answer.status != 200:
            raise _refusal(answer)
        return _object(answer)

    async def _token(self, asker: Asker) -> str | None:
        """A token of the hub's own, remembered; None if Vimeo does not accept who it says it is.

        https://developer.vimeo.com/api/authentication#generate-unauthenticated-tokens
        """
        client_id, client_secret = _application(asker)
        answer = await asker.client.request(
            "POST",
            f"{_api(asker)}/oauth/authorize/client",
            platform=_PLATFORM,
            account=_APPLICATION,
            headers={"authorization": _basic(client_id, client_secret), "accept": _ACCEPT},
            form={"grant_type": "client_credentials", "scope": "public"},
            repeatable=True,
        )
        if answer.status in (400, 401, 403):
            return None
        token = _object(answer).get("access_token") if answer.status == 200 else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise _refusal(answer)
        asker.memory["token"] = token
        return token


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """How far a reading has come: the next page, and what the pages before it showed."""

    number: int = 1
    total: int | None = None
    newest: datetime | None = None

    @classmethod
    def read(cls, spelled: str | None) -> _Place:
        """The inverse of `spelled`; the first page for None."""
        if spelled is None:
            return cls()
        found = _SPELLED.fullmatch(spelled)
        if found is None:
            raise Garbled("the mark of a page of Vimeo's cannot be read; the reading begins anew")
        return cls(number=int(found[1]), total=int(found[2]), newest=moment(found[3]))

    def spelled(self) -> str:
        return f"{self.number} {self.total} {self.newest.isoformat() if self.newest else '-'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A page as Vimeo sent it, found sound."""

    entries: Mapping[str, dict[str, Any]]
    """By the videos' numbers, in Vimeo's order."""
    total: int
    leads_on: bool
    missing: int
    """How many entries are fewer than promised."""


def _listed(answer: Response, number: int) -> _Listed:
    """A page of that number; Garbled for anything else. https://developer.vimeo.com/api/common-formats"""
    if answer.status != 200:
        raise _refusal(answer)
    match _object(answer):
        case {
            "total": int(total),
            "page": int(page),
            "per_page": int(per_page),
            "paging": {"next": str() | None as following},
            "data": list(data),
        } if page == number and 0 < per_page <= _PER_PAGE and 0 <= total <= _MOST and not isinstance(total, bool):
            pass
        case _:
            raise Garbled(f"Vimeo's answer is not page {number} of a list of likes; it is read again later")
    entries = {_video_id(entry): entry for entry in data if isinstance(entry, dict)}
    if "" in entries or not all(isinstance(entry, dict) for entry in data):
        raise Garbled("an entry in Vimeo's list of likes has no video's number; it is read again later")
    before = (page - 1) * per_page
    if following is None and before + per_page < total:
        raise Garbled("Vimeo's list of likes ends before its own count; it is read again later")
    promised = max(0, min(per_page, total - before))
    if len(entries) > promised:
        raise Garbled("Vimeo's page has more likes than it says; it is read again later")
    missing = promised - len(entries)
    return _Listed(entries=entries, total=total, leads_on=following is not None, missing=missing)


def _flow(asker: Asker) -> CodeFlow:
    api = _api(asker)
    client_id, client_secret = _application(asker)
    return CodeFlow(
        platform=_PLATFORM,
        title="Vimeo",
        client_id=client_id,
        client_secret=client_secret,
        authorize=f"{api}/oauth/authorize",
        tokens=f"{api}/oauth/access_token",
        scopes={"link": _SCOPES, "receive": _SCOPES},
        basic=True,
    )


def _api(asker: Asker) -> str:
    return asker.address("api", API)


def _application(asker: Asker) -> tuple[str, str]:
    return asker.secret("client_id"), asker.secret("client_secret")


def _basic(client_id: str, client_secret: str) -> str:
    return f"Basic {base64.b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"


def _grant(tokens: Tokens, account: AccountRef) -> Grant:
    """The API's description has an optional `expires_on` beside the protocol's expires_in."""
    grant = tokens.grant(account)
    return grant if grant.expires_at else replace(grant, expires_at=moment(tokens.raw.get("expires_on")))


def _refusal(answer: Response) -> Unanswered:
    return Unanswered(f"Vimeo answered {answer.status}, from which nothing follows; asked again later")


def _object(answer: Response) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise Garbled("Vimeo's answer is not an object; asked again later")
    return value


def _dig(value: Any, *names: str) -> Any:
    """What is at the end of a path of names; None where it breaks off: anything may be null at Vimeo."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _video_id(video: Mapping[str, Any]) -> str:
    """The number in a video's uri; '' if it is none. An unlisted video's uri has a hash behind it."""
    uri = video.get("uri")
    found = _VIDEO_URI.fullmatch(uri) if isinstance(uri, str) else None
    return found[1] if found else ""


def _is_hidden(video: Mapping[str, Any]) -> bool:
    view = _dig(video, "privacy", "view")
    return isinstance(view, str) and view in _HIDDEN


def _liked_at(video: Mapping[str, Any]) -> datetime | None:
    """When the member liked it; never the video's own time."""
    return moment(_dig(video, "metadata", "interactions", "like", "added_time"))


def _shown(video: Mapping[str, Any]) -> tuple[ThingRef, AccountRef | None] | None:
    """A video that everybody who has its address can see, and whose it is."""
    return None if not _video_id(video) or _is_hidden(video) else (_thing(video), _account(video.get("user")))


def _thing(video: Mapping[str, Any]) -> ThingRef:
    native_id = _video_id(video)
    tags = [plain_text(_dig(each, "name")) or plain_text(_dig(each, "canonical")) for each in _list(video.get("tags"))]
    categories = [plain_text(_dig(each, "name")) for each in _list(video.get("categories"))]
    return ThingRef(
        platform=_PLATFORM,
        native_id=native_id,
        url=_link(video.get("link")) or f"https://vimeo.com/{native_id}",
        title=plain_text(video.get("name")),
        tags=tuple(dict.fromkeys(each for each in (*tags, *categories) if each)),
    )


def _account(user: Any) -> AccountRef | None:
    """The member by their number; None for one who is gone."""
    uri = _dig(user, "uri")
    found = _USER_URI.fullmatch(uri) if isinstance(uri, str) else None
    if found is None:
        return None
    link = _link(user.get("link"))
    name = urlsplit(link).path.strip("/") if link else ""
    return AccountRef(
        platform=_PLATFORM,
        account_id=found[1],
        handle=name if _NAME.fullmatch(name) and name != found[1] else None,
        url=link,
    )


def _profile(user: AccountRef) -> ThingRef:
    """A member as a thing: what is liked there is they themselves."""
    assert user.url is not None
    return ThingRef(platform=_PLATFORM, native_id=f"user:{user.account_id}", url=user.url, title=user.handle)


def _link(value: Any) -> str | None:
    """An address on vimeo.com as Vimeo gives it (a member's own path, an unlisted video's hash); else None."""
    link = addresses.canonical(value) if isinstance(value, str) else None
    if link is None or urlsplit(link).hostname != "vimeo.com" or not link.startswith("https://"):
        return None
    return link


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _all_before(times: Sequence[datetime | None], limit: datetime) -> bool:
    """Whether a page is in order, the newest first, and all of it older than the limit."""
    told = [at for at in times if at is not None]
    return bool(told) and len(told) == len(times) and told[0] < limit and told == sorted(told, reverse=True)


connector = Vimeo()
