"""One spelling for the address of a web page, so that one work is one thing however it was pasted.

Pure: nothing is fetched, so ``rel=canonical`` and redirects are not followed here. What is dropped says
nothing about the page (a fragment, a default port, the marks of campaigns); nothing else is sorted or
guessed, because two addresses that differ may be two works.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote, urlsplit

import idna

LONGEST = 2000
"""Characters; no work needs a longer address, and no text should fill the database through one."""

_CAMPAIGN = re.compile(r"utm_.*|mc_.*|fbclid|gclid|igshid", re.IGNORECASE)
_NOT_PUBLIC = ("localhost", "local", "internal", "localdomain", "home.arpa", "onion")
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})?")


def canonical(url: str) -> str | None:
    """The one spelling of a web page's address; None if it cannot be the address of a public work.

    Refused: other schemes, user names in the address, backslashes and white space (browsers and servers read
    them differently), addresses by number, names that mean something only inside one network.
    """
    if len(url) > LONGEST or _FORBIDDEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or "@" in parts.netloc:
        return None
    host = _host(parts.hostname or "")
    if host is None:
        return None
    place = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    kept = [each for each in parts.query.split("&") if each and not _is_campaign(each)]
    query = f"?{_spelled('&'.join(kept))}" if kept else ""
    spelled = f"{scheme}://{place}{_spelled(parts.path) or '/'}{query}"
    return spelled if len(spelled) <= LONGEST else None


def _host(name: str) -> str | None:
    """A public host name in lower-case ASCII (IDNA 2008: faß.example is not fass.example), or None."""
    name = name.removesuffix(".")
    try:
        ascii_name = idna.encode(name, uts46=True).decode("ascii") if not name.isascii() else name.lower()
    except (idna.IDNAError, UnicodeError):
        return None
    if len(ascii_name) > 253 or not _HOST.fullmatch(ascii_name) or _is_number(ascii_name):
        return None
    return None if any(f".{ascii_name}".endswith(f".{end}") for end in _NOT_PUBLIC) else ascii_name


def _is_number(name: str) -> bool:
    """Whether browsers read the name as an IP address: they do as soon as its last part is a number."""
    last = name.rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_campaign(parameter: str) -> bool:
    return _CAMPAIGN.fullmatch(unquote(parameter.partition("=")[0])) is not None


def _spelled(text: str) -> str:
    """Percent-escapes in upper case, what is not ASCII escaped as UTF-8, a lone % escaped too."""
    whole = _ESCAPE.sub(lambda found: found[0].upper() if found[1] else "%25", text)
    return quote(whole, safe="%/:?#[]@!$&'()*+,;=-._~|")
