"""Flickr: a fave on a public photo, read with the member's own access, with the time at which they faved.

Nothing tells of faves by itself. A short reading asks for those since the last one known, a complete one is made
every day. Flickr counts all questions of a hub together, so a reading is one question and photos are not asked about
one by one. Answers come under status 200 whatever happened: ``stat`` decides.

https://www.flickr.com/services/api/flickr.favorites.getList.html
https://www.flickr.com/services/api/auth.oauth.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors import addresses
from connectors.base import Addresses, Asker, Card, Checked, Currently, KnownLike, Light, Secret
from connectors.client import Allowance, Garbled, Limited, Response, Unanswered, Unreachable
from connectors.linking import Admission, Departure, Grant, Intent, NotAdmitted, Withdrawn
from connectors.oauth.signed import SignedFlow, sign
from connectors.polling import Page, Plan, Proof, Still, Wanted
from connectors.reading import plain_text
from core.events import AccountRef, Liked, ThingRef

API = "https://api.flickr.com"
"""Where Flickr answers questions."""
SITE = "https://www.flickr.com"
"""Where Flickr signs people in, and where photos and people are."""

_PLATFORM = "flickr"
_PER_PAGE = 500
_LARGEST_ANSWER = 4 * 1_048_576
"""Bytes; a page of five hundred photos with their tags."""
_MOST = 10**8
"""Faves; a larger count is none."""
_OVERLAP = timedelta(hours=1)
"""How far a short reading goes back behind the newest fave that is known."""
_EXTRAS = "owner_name,path_alias,tags"
_LARGEST_ID = 2**63 - 1

_NSID = re.compile(r"[0-9]{1,15}@N[0-9]{2}")
_ID = re.compile(r"[0-9]{1,18}")
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TIME = re.compile(r"[0-9]{1,10}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_SPELLED = re.compile(r"([0-9]{1,6}) ([0-9]{1,9}) (-|[0-9]{1,10})")
_BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
"""Flickr's own: the small letters first, without 0, O, I and l. https://www.flickr.com/services/api/misc.urls.html"""
_SHORT = re.compile(rf"[{_BASE58}]{{1,11}}")
_HOSTS = ("flickr.com", "www.flickr.com", "m.flickr.com", "secure.flickr.com")
_FILES = re.compile(r"(?:[a-z0-9-]+\.)?static\.?flickr\.com")
_FILE = re.compile(r"(?:.*/)?([0-9]{5,18})_[0-9a-f]{6,}(?:_[a-z0-9]{1,3})?(?:_d)?\.(?:jpe?g|png|gif)", re.IGNORECASE)
# First parts under /photos/ that are Flickr's own and nobody's.
_NOT_MEMBERS = frozenset({"friends", "tags", "upload", "me", "organize", "contacts", "nearby"})

_NOT_FOUND = frozenset({1, 2})
"""The photo or the member is not there, or not for whoever asks."""
_ENDED = frozenset({98, 99})
"""The member's access is no longer one, or allows less than reading."""
_PROBLEMS_OF_ACCESS = frozenset({"token_rejected", "token_revoked", "token_expired", "permission_denied"})
_REMEDIES = {
    95: "Flickr wants https: check connectors.flickr.api",
    96: "Flickr finds the signature wrong: check connectors.flickr.api_secret and the machine's clock",
    97: "Flickr finds no signature: check connectors.flickr.api_secret",
    100: "Flickr does not accept connectors.flickr.api_key (or has ended it): see https://www.flickr.com/services/apps",
    105: "Flickr is not available at the moment",
    106: "Flickr could not do it at the moment",
    112: "Flickr knows no such question any more: this hub is too old for it",
}

_CARD = Card(
    platform=_PLATFORM,
    title="Flickr",
    route="poll",
    abilities=frozenset({"likes", "unlikes", "linking", "resolves"}),
    what_counts="A fave on a public photo or video; taking it out of the favourites takes it back.",
    creator="The member whose photo it is.",
    account_id_pattern="[0-9]+@N[0-9]{2}",
    account_id_how="Flickr's account ids look like 12345678@N00: the member's NSID, which "
    "https://www.flickr.com/services/api/explore/flickr.urls.lookupUser shows for the address of a profile",
    secrets=(
        Secret(name="api_key", how="The app's Key, on its page at https://www.flickr.com/services/apps/by/me."),
        Secret(name="api_secret", how="The app's Secret, on the same page."),
    ),
    settings={
        "api": f"Where Flickr is asked, if not at {API}.",
        "site": f"Where Flickr signs people in, if not at {SITE}.",
    },
    hosts=("api.flickr.com", "www.flickr.com"),
    allowance=Allowance(requests=3_500, seconds=3_600),
    retries="None needed: a reading begins where the last one ended, however long ago, and one a day is complete.",
    knows_like_time=True,
    setup=(
        "You need Flickr Pro: since 2025 free accounts get no new API keys.",
        "Open https://www.flickr.com/services/apps/create/apply; a hub that earns anything needs a commercial key.",
        "App page, Edit the authentication flow: Web Application, Callback URL {callback}.",
        "Put Key and Secret from the app's page into the hub's settings.",
    ),
    limits="A fave is seen within an hour, of a quiet account within 8. Flickr takes 3,600 questions an hour from the "
    "whole hub: from about 3,000 active members on it takes longer.",
    costs="The operator needs Flickr Pro. Flickr sets what a commercial key costs.",
    lights=(
        Light(
            action="likes",
            colour="amber",
            clause="Flickr is for personal use, commercial use of its API has to be approved, and Flickr may end a "
            "key's use at any time (by stored copies of the terms' beginning and of the guidelines). A hub that keeps "
            "a fee is commercial.",
            url="https://www.flickr.com/help/terms/api",
            read_on=date(2026, 11, 22),
        ),
        Light(
            action="requests",
            colour="amber",
            clause="Keys that stay under 3,600 questions an hour, over all users together, are fine; others may be "
            "turned off. Advises against keeping many members' tokens in one place; here they are sealed.",
            url="https://www.flickr.com/services/developer/api/",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://www.flickr.com/services/api/flickr.favorites.getList.html",
)

_PLAN = Plan(
    often=timedelta(hours=1),
    seldom=timedelta(hours=8),
    whole=timedelta(days=1),
    newest_first=True,
)


class Flickr:
    """The connector; it has no state."""

    @property
    def card(self) -> Card:
        """The facts about Flickr."""
        return _CARD

    @property
    def plan(self) -> Plan:
        """Once an hour for whoever faves, since all members share one allowance, and completely once a day."""
        return _PLAN

    # Signing in

    async def authorize(self, asker: Asker, *, state: str, callback: str, intent: Intent) -> Departure:
        """Flickr's page that asks for reading; a request token is got first, without which there is no such page."""
        key, secret = _application(asker)
        return await _flow(asker).departure(
            asker, platform=_PLATFORM, state=state, callback=callback, key=key, secret=secret
        )

    async def exchange(
        self, asker: Asker, *, query: Mapping[str, str], kept: Mapping[str, str], callback: str, intent: Intent
    ) -> Admission:
        """The account is told with the token, by its NSID."""
        key, secret = _application(asker)
        tokens = await _flow(asker).exchange(asker, platform=_PLATFORM, query=query, kept=kept, key=key, secret=secret)
        nsid = tokens.raw.get("user_nsid", "")
        if not _NSID.fullmatch(nsid):
            raise NotAdmitted("Flickr did not say whose account it is. Start again from the bot.")
        account = AccountRef(
            platform=_PLATFORM,
            account_id=nsid,
            handle=plain_text(tokens.raw.get("username")),
            url=_profile_address(nsid),
        )
        grant = Grant(account=account, access_token=tokens.token, token_secret=tokens.token_secret, scopes=("read",))
        return Admission(account=account, grants=(grant,))

    async def refresh(self, asker: Asker, grant: Grant) -> Grant:
        """Flickr's access has no end and nothing to renew it with: one that is refused was withdrawn."""
        raise Withdrawn("Flickr does not take this access any more")

    async def revoke(self, asker: Asker, grant: Grant) -> None:
        """Nothing: Flickr lets only the member end an access, at https://www.flickr.com/services/auth/list.gne."""

    # Reading faves

    async def poll(self, asker: Asker, wanted: Wanted) -> Page:
        """One page of five hundred faves."""
        place = _Place.read(wanted.mark.page)
        known = _number(wanted.mark.cursor, _TIME)
        since = None
        if known is not None and not wanted.mark.whole:
            since = max(0, known - int(_OVERLAP.total_seconds()))
        listed = await self._page(asker, wanted.grant, place.number, since)
        if place.total is not None and listed.total < place.total:
            raise Garbled("Flickr's list became shorter while it was read: what moved up may have been passed over")
        likes: list[Liked] = []
        besides = [f"withheld:{place.number}:{each}" for each in range(listed.missing)]
        for native_id, photo in listed.photos.items():
            if _number(photo.get("ispublic")) == 1:
                likes.append(_faved(wanted.account, native_id, photo))
            else:
                besides.append(native_id)
        times = (_number(photo.get("date_faved"), _TIME) for photo in listed.photos.values())
        told = [at for at in (*times, known, place.newest) if at is not None]
        # After a time in the future every short reading would ask for nothing.
        newest = min(max(told), int(asker.clock().timestamp())) if told else None
        following = _Place(number=place.number + 1, total=listed.total, newest=newest)
        return Page(
            likes=tuple(likes),
            besides=tuple(besides),
            cursor=None if newest is None else str(newest),
            more=following.spelled() if listed.leads_on else None,
            proves=_proof(listed, place, since, besides),
            total=listed.total if since is None else None,
        )

    async def still(self, asker: Asker, grant: Grant | None, like: KnownLike) -> Still:
        """Flickr tells with a photo whether it is among the favourites of whoever asks."""
        if not _ID.fullmatch(like.thing.native_id):
            return "unknown"
        params = {"photo_id": like.thing.native_id}
        answer = await self._ask(asker, "flickr.photos.getInfo", params, grant=_lent(grant), absent=_NOT_FOUND)
        if answer is None:
            return "gone"
        photo = _object(answer.get("photo"))
        if _photo_id(photo) != like.thing.native_id:
            return "unknown"
        match _number(photo.get("isfavorite")):
            case 1:
                return "liked"
            case 0:
                return "unliked"
        return "unknown"

    async def _page(self, asker: Asker, grant: Grant | None, number: int, since: int | None) -> _Listed:
        """A sound page; asked for twice if the first answer is short of what it promises.

        An answer cut short under way comes whole the second time. What stays away Flickr counts and does not show
        (a photo that is no longer for this member): it is there, by another name, and `still` tells whether a fave
        is among it.
        """
        params = {"per_page": str(_PER_PAGE), "page": str(number), "extras": _EXTRAS}
        if since is not None:
            params["min_fave_date"] = str(since)
        lent = _lent(grant)
        listed = _listed(await self._ask(asker, "flickr.favorites.getList", params, grant=lent), number)
        if listed.missing == 0:
            return listed
        again = _listed(await self._ask(asker, "flickr.favorites.getList", params, grant=lent), number)
        if again.missing and list(again.photos) != list(listed.photos):
            raise Garbled("Flickr's page has fewer faves than it says; it is read again later")
        return again

    # Addresses

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """A photo by its number, whichever address has it; a member by their NSID, or as a page of the web.

        Who made a photo no address tells: the member's name before the number is what somebody typed.
        """
        page = addresses.canonical(url)
        if page is None:
            return None
        parts = urlsplit(page)
        host, names = parts.hostname or "", parts.path.strip("/").split("/")
        if parts.port is not None:
            return None
        if host in ("flic.kr", "www.flic.kr"):
            return _photo(_from_base58(names[1])) if names[0] == "p" and len(names) == 2 else None
        if _FILES.fullmatch(host):
            file = _FILE.fullmatch(parts.path)
            return _photo(file[1]) if file else None
        if host not in _HOSTS:
            return None
        if names == [""] and (moved := urlsplit(url).fragment.lstrip("!")).startswith("/"):
            names = moved.strip("/").split("/")  # as the old mobile site wrote its addresses
        if names[0] in ("photo.gne", "photo_zoom.gne"):
            return _photo(parse_qs(parts.query).get("id", [""])[0])
        if names[0] not in ("photos", "people") or len(names) < 2:
            return None
        member = names[1].replace("%40", "@")
        if member.lower() in _NOT_MEMBERS or not (_NSID.fullmatch(member) or _ALIAS.fullmatch(member)):
            return None
        if names[0] == "photos" and len(names) > 2:
            return _photo(names[2])
        if _NSID.fullmatch(member):
            account = AccountRef(platform=_PLATFORM, account_id=member, url=_profile_address(member))
            return _profile(account), account
        address = _profile_address(member)
        return ThingRef(platform="web", native_id=address, url=address, title=member), None

    async def current(self, asker: Asker, like: KnownLike) -> Currently | None:
        """Nothing can be said without the member's access: only some favourites are public."""
        return None

    async def look_up(self, asker: Asker, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        """The public photo or the member at an address; the hub's key is enough to ask."""
        named = self.resolve(url)
        if named is None:
            return None
        thing, account = named
        if thing.platform == _PLATFORM and account is None:
            return await self._public_photo(asker, thing.native_id)
        nsid = account.account_id if account else await self._member_at(asker, thing.url)
        if nsid is None:
            return None
        answer = await self._ask(asker, "flickr.people.getInfo", {"user_id": nsid}, absent=_NOT_FOUND | {5})
        person = _object(answer.get("person")) if answer else {}
        account = _account(person.get("nsid"), person.get("path_alias"), _content(person.get("username")))
        if account is None or account.account_id != nsid:
            return None
        return _profile(account), account

    async def _public_photo(self, asker: Asker, native_id: str) -> tuple[ThingRef, AccountRef | None] | None:
        answer = await self._ask(asker, "flickr.photos.getInfo", {"photo_id": native_id}, absent=_NOT_FOUND)
        photo = _object(answer.get("photo")) if answer else {}
        owner = _object(photo.get("owner"))
        author = _account(owner.get("nsid"), owner.get("path_alias"), owner.get("username"))
        if _photo_id(photo) != native_id or _number(_object(photo.get("visibility")).get("ispublic")) != 1:
            return None
        if author is None:
            return None
        tags = [plain_text(_object(each).get("raw")) for each in _list(_object(photo.get("tags")).get("tag"))]
        return _thing(native_id, author, _content(photo.get("title")), tags), author

    async def _member_at(self, asker: Asker, url: str) -> str | None:
        answer = await self._ask(asker, "flickr.urls.lookupUser", {"url": url}, absent=_NOT_FOUND)
        nsid = _object(answer.get("user")).get("id") if answer else None
        return nsid if isinstance(nsid, str) and _NSID.fullmatch(nsid) else None

    # Asking

    async def check(self, asker: Asker, addresses: Addresses) -> Sequence[Checked]:
        """The key is tried by an echo, the secret by asking for a sign-in that nobody goes through with."""
        page = "https://www.flickr.com/services/apps/by/me"
        if not all(_application(asker)):
            remedy = f"set connectors.flickr.api_key and api_secret from {page}"
            return [Checked(what="Key and Secret", ok=False, text="not both are set", remedy=remedy)]
        try:
            await self._ask(asker, "flickr.test.echo", {})
        except _Failed as failed:
            text = f"Flickr refuses it ({failed.code})"
            return [Checked(what="Key", ok=False, text=text, remedy=f"copy it again from the app's page at {page}")]
        key = Checked(what="Key", ok=True, text="Flickr accepts it")
        try:
            await self.authorize(asker, state="check", callback=addresses.callback, intent="link")
        except (Unreachable, Limited):
            raise
        except Unanswered as refused:
            remedy = f"copy the Secret again from the app's page at {page}, set the app's Callback URL to "
            remedy += f"{addresses.callback}, and check this machine's clock"
            return [key, Checked(what="Secret and callback address", ok=False, text=str(refused), remedy=remedy)]
        return [key, Checked(what="Secret and callback address", ok=True, text="Flickr lets people sign in")]

    async def _ask(
        self,
        asker: Asker,
        method: str,
        params: Mapping[str, str],
        *,
        grant: Grant | None = None,
        absent: frozenset[int] = frozenset(),
    ) -> dict[str, Any] | None:
        """Flickr's answer, for the member whose access is given, else by the key alone; None for ``absent`` errors."""
        key, secret = _application(asker)
        url = f"{asker.address('api', API)}/services/rest/"
        asked = {"method": method, "format": "json", "nojsoncallback": "1", **params}
        headers: dict[str, str] = {}
        if grant is None:
            asked["api_key"] = key
        else:
            headers = sign(
                "GET",
                url,
                asked,
                key=key,
                secret=secret,
                token=grant.access_token,
                token_secret=grant.token_secret,
                at=asker.clock(),
            )
        answer = await asker.client.request(
            "GET",
            url,
            platform=_PLATFORM,
            headers=headers,
            params=asked,
            largest=_LARGEST_ANSWER,
            # A signature is good for one request.
            repeatable=grant is None,
        )
        content = _said(answer, signed=grant is not None)
        if content.get("stat") == "ok":
            return content
        code = _number(content.get("code")) if content.get("stat") == "fail" else None
        if code is None:
            raise Garbled("Flickr's answer says neither ok nor fail; asked again later")
        if code in absent:
            return None
        if code in _ENDED and grant is not None:
            raise Withdrawn(f"Flickr does not take this access any more ({code})")
        raise _Failed(code)


class _Failed(Unanswered):
    """Flickr's own "fail", about which the member can do nothing."""

    def __init__(self, code: int) -> None:
        super().__init__(_REMEDIES.get(code, f"Flickr answered with its error {code}, from which nothing follows"))
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """How far a reading has come: the next page, and what the pages before it showed."""

    number: int = 1
    total: int | None = None
    newest: int | None = None

    @classmethod
    def read(cls, spelled: str | None) -> _Place:
        """The inverse of `spelled`; the first page for None."""
        if spelled is None:
            return cls()
        found = _SPELLED.fullmatch(spelled)
        if found is None:
            raise Garbled("the mark of a page of Flickr's cannot be read; the reading begins anew")
        return cls(number=int(found[1]), total=int(found[2]), newest=_number(found[3], _TIME))

    def spelled(self) -> str:
        return f"{self.number} {self.total} {'-' if self.newest is None else self.newest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A page as Flickr sent it, found sound."""

    photos: Mapping[str, dict[str, Any]]
    """By their numbers, in Flickr's order."""
    total: int
    leads_on: bool
    missing: int
    """How many are fewer than promised."""


def _listed(answer: Mapping[str, Any] | None, number: int) -> _Listed:
    """A page of that number; Garbled for anything else. Its numbers may be texts."""
    photos = _object((answer or {}).get("photos"))
    page, pages, per_page, total = (_number(photos.get(name)) for name in ("page", "pages", "perpage", "total"))
    entries = photos.get("photo")
    if page is None or pages is None or per_page is None or total is None or not isinstance(entries, list):
        raise Garbled("Flickr's answer is no list of faves; it is read again later")
    # Beyond the end Flickr gives the last page again. Of an empty list the only page may be called 0.
    if page != number and not (total == 0 and number == 1):
        raise Garbled(f"Flickr's answer is not page {number} of the faves; it is read again later")
    if not 0 < per_page <= _PER_PAGE or total > _MOST or (total > 0 and pages != -(-total // per_page)):
        raise Garbled("Flickr's counts of pages and faves do not agree; the page is read again later")
    listed = {_photo_id(entry): entry for entry in entries if isinstance(entry, dict)}
    owners = [entry.get("owner") if isinstance(entry, dict) else None for entry in entries]
    if "" in listed or not all(isinstance(each, str) and _NSID.fullmatch(each) for each in owners):
        raise Garbled("an entry in Flickr's list of faves has no number or no owner; it is read again later")
    promised = max(0, min(per_page, total - (number - 1) * per_page))
    if len(listed) > promised:
        raise Garbled("Flickr's page has more faves than it says; it is read again later")
    return _Listed(photos=listed, total=total, leads_on=number < pages, missing=promised - len(listed))


def _proof(listed: _Listed, place: _Place, since: int | None, besides: Sequence[str]) -> Proof:
    """What a page proves if it is the last one.

    A short reading shows all since a time, the newest first; of that nothing is claimed unless one sound page in
    order showed it all.
    """
    if listed.leads_on:
        return "nothing"
    if since is None:
        return "everything"
    times = [_number(photo.get("date_faved"), _TIME) for photo in listed.photos.values()]
    told = [at for at in times if at is not None]
    in_order = told == times and told == sorted(told, reverse=True)
    return "newest" if in_order and place.number == 1 and not besides else "nothing"


def _said(answer: Response, *, signed: bool) -> dict[str, Any]:
    """The answer as an object, whatever it says; the words of OAuth come as a form, most others as HTML."""
    problem = ""
    if answer.body.startswith(b"oauth_problem="):
        # What it is called may be missing; that it is one is not.
        problem = parse_qs(answer.text()[:1000]).get("oauth_problem", ["unnamed"])[0]
    if signed and (problem in _PROBLEMS_OF_ACCESS or (answer.status == 401 and not problem)):
        raise Withdrawn("Flickr does not take this access any more")
    if problem:
        raise Unanswered("Flickr finds the signature wrong: check the key, the secret and the machine's clock")
    if answer.status != 200:
        raise Unanswered(f"Flickr answered {answer.status}, from which nothing follows; asked again later")
    content = answer.json()
    if not isinstance(content, dict):
        raise Garbled("Flickr's answer is not an object; asked again later")
    return content


def _flow(asker: Asker) -> SignedFlow:
    site = f"{asker.address('site', SITE)}/services/oauth"
    return SignedFlow(
        request=f"{site}/request_token",
        authorize=f"{site}/authorize",
        access=f"{site}/access_token",
        more={"perms": "read"},
    )


def _application(asker: Asker) -> tuple[str, str]:
    return asker.secret("api_key"), asker.secret("api_secret")


def _lent(grant: Grant | None) -> Grant:
    if grant is None or grant.token_secret is None:
        raise Withdrawn("Flickr shows a member's faves with their access only: the account has to be linked")
    return grant


def _faved(by: AccountRef, native_id: str, photo: Mapping[str, Any]) -> Liked:
    author = _account(photo.get("owner"), photo.get("pathalias"), photo.get("ownername"))
    assert author is not None
    tags = photo.get("tags")
    words = [plain_text(each) for each in tags.split()] if isinstance(tags, str) else []
    at = _number(photo.get("date_faved"), _TIME)
    return Liked(
        by=by,
        thing=_thing(native_id, author, _content(photo.get("title")), words),
        author=author,
        at=None if at is None else datetime.fromtimestamp(at, UTC),
    )


def _thing(native_id: str, author: AccountRef, title: str | None, tags: Sequence[str | None]) -> ThingRef:
    alias = author.url.rstrip("/").rpartition("/")[2] if author.url else author.account_id
    return ThingRef(
        platform=_PLATFORM,
        native_id=native_id,
        url=f"{SITE}/photos/{alias}/{native_id}/",
        title=title,
        tags=tuple(dict.fromkeys(each for each in tags if each)),
    )


def _account(nsid: Any, alias: Any, name: Any) -> AccountRef | None:
    """A member by their NSID; the alias in their addresses is chosen once, if at all, and the name says little."""
    if not isinstance(nsid, str) or not _NSID.fullmatch(nsid):
        return None
    chosen = alias if isinstance(alias, str) and _ALIAS.fullmatch(alias) else None
    handle = chosen or plain_text(name)
    return AccountRef(
        platform=_PLATFORM,
        account_id=nsid,
        handle=handle if handle != nsid else None,
        url=_profile_address(chosen or nsid),
    )


def _profile(account: AccountRef) -> ThingRef:
    """A member as a thing: what is liked there is they themselves."""
    url = account.url or _profile_address(account.account_id)
    return ThingRef(platform=_PLATFORM, native_id=f"user:{account.account_id}", url=url, title=account.handle)


def _profile_address(member: str) -> str:
    return f"{SITE}/people/{member}/"


def _photo(native_id: str | None) -> tuple[ThingRef, None] | None:
    """A photo known by its number alone, under the short address that Flickr makes of it."""
    if native_id is None or not _ID.fullmatch(native_id) or not (number := int(native_id)):
        return None
    address = f"https://flic.kr/p/{_to_base58(number)}"
    return ThingRef(platform=_PLATFORM, native_id=str(number), url=address), None


def _from_base58(short: str) -> str | None:
    if not _SHORT.fullmatch(short):
        return None
    number = 0
    for each in short:
        number = number * 58 + _BASE58.index(each)
    return str(number) if number <= _LARGEST_ID else None


def _to_base58(number: int) -> str:
    short = ""
    while number:
        number, digit = divmod(number, 58)
        short = _BASE58[digit] + short
    return short


def _photo_id(photo: Mapping[str, Any]) -> str:
    """A photo's number; '' if it has none."""
    native_id = _number(photo.get("id"), _ID)
    return str(native_id) if native_id else ""


def _number(value: Any, pattern: re.Pattern[str] = _NUMBER) -> int | None:
    """A number that may be written as a text; None for everything else."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return int(text) if isinstance(text, str) and pattern.fullmatch(text) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _content(value: Any) -> str | None:
    """A text that may be wrapped, as Flickr's XML was once translated."""
    return plain_text(value.get("_content") if isinstance(value, dict) else value)


connector = Flickr()
