"""How pages are made: templates that escape everything, and headers that let nothing foreign run."""

from __future__ import annotations

import hashlib
import mimetypes
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

_HERE = Path(__file__).parent

HEADERS = {
    # No inline script, no inline style, nothing from elsewhere; data: is not needed either.
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send "Origin: null" with our own forms, and the Origin check fails.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def leaving(*, secure: bool) -> str:
    """The Content-Security-Policy of a page whose form leads away, to a sign-in or a bank.

    Browsers check every redirect after a form against form-action, and where these lead is often on several hosts. Such
    a page has forms of its own only, and nothing in it that is not escaped. ``secure``: the hub itself speaks TLS.
    """
    anywhere = "https:" if secure else "https: http:"
    return HEADERS["Content-Security-Policy"].replace("form-action 'self'", f"form-action 'self' {anywhere}")


class Pages:
    """The templates and static files of this package, read once."""

    def __init__(self) -> None:
        self._static = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir()) if path.is_file()}
        self._version = hashlib.sha256(b"".join(self._static.values())).hexdigest()[:12]
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["ago"] = ago
        self._environment.filters["day"] = day
        self._environment.globals["static"] = self.static_url

    def static_url(self, name: str) -> str:
        """The address of a static file; it changes when any of them does, so that it may be kept for ever."""
        if name not in self._static:
            raise LookupError(f"there is no static file {name}; known: {', '.join(self._static)}")
        return f"/static/{name}?v={self._version}"

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page made of a template; nobody may keep a copy."""
        return web.Response(
            status=status,
            text=self._environment.get_template(template).render(values),
            content_type="text/html",
            headers={**HEADERS, "Cache-Control": "no-store"},
        )

    async def static(self, request: web.Request) -> web.Response:
        """A static file by its name; no path leads out of the folder, since only known names are answered."""
        name = request.match_info["name"]
        content = self._static.get(name)
        if content is None:
            raise web.HTTPNotFound(headers=HEADERS)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if "v" in request.query else "no-cache"
        return web.Response(body=content, content_type=kind, headers={**HEADERS, "Cache-Control": kept})


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in one unit: ``just now``, ``5 min``, ``3 h``, then the date."""
    minutes = int((now - at).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{at.astimezone(UTC):%-d %b %Y}" if at.year != now.year else f"{at.astimezone(UTC):%-d %b}"


def day(at: datetime) -> str:
    """``Sunday, 22 November 2026``, in UTC, as months are counted."""
    return f"{at.astimezone(UTC):%A, %-d %B %Y}"
