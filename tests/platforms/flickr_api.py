"""A small Flickr on loopback: sign-in by OAuth 1.0a, favourites, photos and people, stateful, and misbehaving.

Built from Flickr's published method descriptions and recorded answers; see the fact sheet of the platform. What it is
told to do wrong next is in `faults`: one for each of the following requests to the API.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.platforms.misbehaving import Passing
from tests.platforms.signing_in import SignsInSigned

FAULTS = (
    "98",
    "99",
    "100",
    "105",
    "106",
    "token_rejected",
    "nonce_used",
    "401",
    "403",
    "404",
    "429 html",
    "500",
    "503 html",
    "200 html",
    "cut",
    "an object",
    "a list",
    "no entries",
    "shortened",
    "without its end",
    "wrong page",
    "reordered",
    "entries without ids",
    "empty",
)
"""What can go wrong with an answer; the later ones change lists only."""

MESSAGES = {
    1: "Photo not found",
    98: "Invalid auth token",
    99: "User not logged in / Insufficient permissions",
    100: "Invalid API Key (Key has expired)",
    105: "Service currently unavailable",
    106: "Write operation failed",
    112: 'Method "unknown" not found',
}


@dataclass
class Photo:
    number: str
    owner: str
    title: str = "A photo"
    public: bool = True
    removed: bool = False
    tags: str = ""


@dataclass
class Person:
    nsid: str
    name: str
    alias: str | None = None
    likes: dict[str, datetime] = field(default_factory=dict)


class FakeFlickr(SignsInSigned):
    """API and sign-in under one address; at Flickr they are two hosts."""

    request_path = "/services/oauth/request_token"
    authorize_path = "/services/oauth/authorize"
    access_path = "/services/oauth/access_token"

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock=clock or Passing().clock)
        self.people: dict[str, Person] = {}
        self.photos: dict[str, Photo] = {}
        self.faults: deque[str] = deque()
        self.before: dict[int, Callable[[], None]] = {}
        """What to do before the n-th answer of the API (from 1): somebody acts meanwhile."""
        self.asked: list[str] = []
        """Every question's method, with the page for lists."""
        self.withheld: set[str] = set()
        """Photos that are counted in lists and not shown."""
        self.unlisted: set[str] = set()
        """Photos that lists leave out by a fault of Flickr's, faved as they are."""
        self.numbers_as_texts = True
        """As some of Flickr's answers have them."""

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/services/rest/", self._rest)

    # The state

    def user(self, nsid: str, name: str = "", alias: str | None = None) -> Person:
        return self.people.setdefault(nsid, Person(nsid, name or f"member {nsid[:5]}", alias))

    def content(self, number: str, owner: str, title: str = "A photo", **more: Any) -> Photo:
        self.photos[number] = Photo(number, owner, title, **more)
        return self.photos[number]

    def like(self, nsid: str, photo: str, at: datetime) -> None:
        self.people[nsid].likes[photo] = at

    def unlike(self, nsid: str, photo: str) -> None:
        self.people[nsid].likes.pop(photo, None)

    def remove(self, photo: str) -> None:
        self.photos[photo].removed = True

    def knows(self, user: str) -> bool:
        return user in self.people

    def token_answer(self, user: str) -> dict[str, str]:
        return {"fullname": "Somebody", "user_nsid": user, "username": self.people[user].name}

    # What the API says

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        method, page = request.query.get("method", ""), request.query.get("page")
        self.asked.append(method + (f"?page={page}" if page else ""))
        assert request.query.get("format") == "json"
        assert request.query.get("nojsoncallback") == "1"
        if (act := self.before.pop(len(self.asked), None)) is not None:
            act()
        fault = self.faults.popleft() if self.faults else ""
        signed = request.headers.get("authorization", "").startswith("OAuth ")
        user: str | None = None
        if signed:
            # With no access lent at all, `problem_of` would take a signature by the key alone.
            problem = await self.problem_of(request) if self.lent else "token_rejected"
            if problem is not None:
                return web.Response(status=401, text=f"oauth_problem={problem}")
            user = next(
                each.user for each in self.lent.values() if f'"{each.token}"' in request.headers["authorization"]
            )
        elif request.query.get("api_key") != self.api_key:
            return _failed(100)
        value = self._told(method, request.query, user)
        spoiled = _spoiled(fault)
        if fault == "cut":
            return await _cut(request, value)
        if spoiled is not None:
            return spoiled
        return _failed(value) if isinstance(value, int) else _json(_changed(fault, value) | {"stat": "ok"})

    def _told(self, method: str, query: Any, user: str | None) -> dict[str, Any] | int:
        """What the method says, or the number of its error."""
        match method:
            case "flickr.test.echo":
                return {"method": {"_content": method}}
            case "flickr.favorites.getList":
                return 99 if user is None else self._faves(user, query)
            case "flickr.photos.getInfo":
                return self._photo(query["photo_id"], user)
            case "flickr.urls.lookupUser":
                name = query["url"].rstrip("/").rpartition("/")[2]
                found = next((each for each in self.people.values() if name in (each.nsid, each.alias)), None)
                return {"user": {"id": found.nsid, "username": {"_content": found.name}}} if found else 1
            case "flickr.people.getInfo":
                person = self.people.get(query["user_id"])
                return {"person": self._person(person)} if person else 1
        return 112

    def _faves(self, user: str, query: Any) -> dict[str, Any]:
        page, per_page = int(query.get("page", 1)), int(query.get("per_page", 100))
        assert per_page <= 500
        since = int(query.get("min_fave_date", 0))
        faves = self.people[user].likes
        shown = [each for each in faves if each not in self.unlisted and self._sees(each, user)]
        listed = [each for each in shown if faves[each].timestamp() >= since]
        listed.sort(key=lambda each: (-int(faves[each].timestamp()), each))
        pages = -(-len(listed) // per_page)
        page = max(1, min(page, pages))
        shown = [each for each in listed[(page - 1) * per_page : page * per_page] if each not in self.withheld]
        counts: dict[str, Any] = {"page": page, "pages": pages, "perpage": per_page, "total": len(listed)}
        if listed and self.numbers_as_texts:
            counts |= {"pages": str(pages), "total": str(len(listed))}
        return {"photos": counts | {"photo": [self._listed(each, faves[each]) for each in shown]}}

    def _listed(self, number: str, at: datetime) -> dict[str, Any]:
        photo = self.photos[number]
        owner = self.people[photo.owner]
        return {
            "id": number,
            "owner": photo.owner,
            "secret": "1111111111",
            "server": "5686",
            "farm": 6,
            "title": photo.title,
            "ispublic": int(photo.public),
            "isfriend": 0,
            "isfamily": 0,
            "date_faved": str(int(at.astimezone(UTC).timestamp())),
            "ownername": owner.name,
            "pathalias": owner.alias,
            "tags": photo.tags,
        }

    def _photo(self, number: str, user: str | None) -> dict[str, Any] | int:
        photo = self.photos.get(number)
        if photo is None or not self._sees(number, user):
            return 1
        owner = self.people[photo.owner]
        return {
            "photo": {
                "id": number,
                "isfavorite": int(user is not None and number in self.people[user].likes),
                "owner": {"nsid": owner.nsid, "username": owner.name, "path_alias": owner.alias},
                "title": {"_content": photo.title},
                "visibility": {"ispublic": int(photo.public), "isfriend": 0, "isfamily": 0},
                "tags": {"tag": [{"raw": each, "_content": each.lower()} for each in photo.tags.split()]},
            }
        }

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.nsid,
            "nsid": person.nsid,
            "path_alias": person.alias,
            "username": {"_content": person.name},
            "profileurl": {"_content": f"https://www.flickr.com/people/{person.alias or person.nsid}/"},
        }

    def _sees(self, number: str, user: str | None) -> bool:
        """A photo that is no longer public is still seen by those whom its owner calls friends: here, by everybody
        who has signed in and not by the public."""
        photo = self.photos[number]
        return not photo.removed and (photo.public or user is not None)


def _spoiled(fault: str) -> web.Response | None:
    """An answer that is none."""
    if fault.isdigit() and int(fault) in MESSAGES:
        return _failed(int(fault))
    match fault:
        case "token_rejected" | "nonce_used":
            return web.Response(status=401, text=f"oauth_problem={fault}")
        case "401" | "403" | "404" | "500" as status:
            return web.Response(status=int(status), text="<h1>Bad, bad panda</h1>", content_type="text/html")
        case "429 html":
            return web.Response(status=429, text="<h1>Too many requests</h1>", content_type="text/html")
        case "503 html":
            return web.Response(status=503, text="<h1>Flickr is having a massage</h1>", content_type="text/html")
        case "200 html":
            return web.Response(text="<h1>Flickr</h1>", content_type="text/html")
        case "a list":
            return web.Response(text="[]", content_type="application/json")
    return None


def _changed(fault: str, value: dict[str, Any]) -> dict[str, Any]:
    """A list that is not what it should be; everything else as it is."""
    photos = value.get("photos")
    if photos is None:
        return value
    listed = list(photos["photo"])
    match fault:
        case "an object":
            photos = photos | {"photo": {str(number): each for number, each in enumerate(listed)}}
        case "no entries":
            photos = {name: each for name, each in photos.items() if name != "photo"}
        case "shortened":
            photos = photos | {"photo": listed[: len(listed) // 2]}
        case "without its end":
            photos = photos | {"pages": photos["page"]}
        case "wrong page":
            photos = photos | {"page": int(photos["page"]) + 1}
        case "reordered":
            photos = photos | {"photo": listed[::-1]}
        case "entries without ids":
            photos = photos | {"photo": [each | {"id": None} for each in listed]}
        case "empty":
            photos = photos | {"photo": []}
    return {"photos": photos}


async def _cut(request: web.Request, value: Any) -> web.StreamResponse:
    """The connection ends in the middle of the answer."""
    response = web.StreamResponse(headers={"content-length": "50000"})
    await response.prepare(request)
    await response.write(json.dumps(value).encode()[:50])
    assert request.transport is not None
    request.transport.close()
    return response


def _json(value: Any) -> web.Response:
    return web.Response(text=json.dumps(value), content_type="application/json")


def _failed(code: int) -> web.Response:
    """Flickr's own errors come under status 200."""
    return _json({"stat": "fail", "code": code, "message": MESSAGES.get(code, "Something")})
