"""Where a URL that a user supplied may lead the hub: public addresses on the web's two ports, nowhere else.

The URL is checked before it is asked, and the address is checked again when the socket for it is made: that
is the one place which sees every literal, spelling, DNS answer, redirect and rebinding. The table is ours,
because `ipaddress.is_global` of Python 3.11 lets 6to4, NAT64 and IPv4-compatible addresses through.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable

from aiohttp import AddrInfoType
from yarl import URL

from connectors.outgoing.failures import Forbidden

PORTS = (80, 443)

_FORBIDDEN = {
    # IANA's IPv4 special-purpose registry (2026), and what clouds answer from inside
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "a provider's own (CGNAT)",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "Azure's host",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, broadcast",
    # IANA's IPv6 special-purpose registry; several of these carry an IPv4 address inside
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0/96": "IPv4-mapped",
    "::ffff:0:0:0/96": "IPv4-translated",
    "::/96": "IPv4-compatible",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64 for local use",
    "100::/64": "discard",
    "100:0:0:1::/64": "dummy",
    "2001::/32": "Teredo",
    "2001:2::/48": "benchmarks",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHIDv2",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3ffe::/16": "the former 6bone",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_NETWORKS = [(ipaddress.ip_network(network), what) for network, what in _FORBIDDEN.items()]
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_MISREAD = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_NAMED = re.compile(r"([^/?#]*:)?//[^/?#]*@")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_REMEDY = "give the public address of a web page"


def why_not(address: str) -> str | None:
    """What kind of forbidden place an IP address is; None: it is public. What is no address is forbidden."""
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(place, ipaddress.IPv6Address) and place.scope_id is not None:
        return "bound to an interface"
    for network, what in _NETWORKS:
        if place.version == network.version and place in network:
            return what
    if isinstance(place, ipaddress.IPv6Address) and place not in _GLOBAL_UNICAST:
        return "outside global unicast"
    return None


def checked(url: str | URL) -> URL:
    """The URL as it will be asked, its fragment dropped; Forbidden if a user may not send the hub there.

    A name is let through here: what it stands for is known only when the socket is made.
    """
    if isinstance(url, str):
        _check_text(url)
    try:
        parsed = url if isinstance(url, URL) else URL(url)
        host, port = parsed.raw_host, parsed.port
    except (ValueError, TypeError):
        parsed = None
    if parsed is None:
        raise Forbidden(f"not a URL; {_REMEDY}")
    if parsed.scheme not in ("http", "https") or not host:
        raise Forbidden(f"only http and https addresses can be read; {_REMEDY}")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise Forbidden(f"a user name in the address; {_REMEDY}")
    if port not in PORTS:
        raise Forbidden(f"port {port}; only 80 and 443 are asked")
    _check_host(host)
    return parsed.with_fragment(None)


def joined(base: URL, location: str) -> URL:
    """Where a redirect's Location leads, still to be `checked`; Forbidden if it cannot be read."""
    _check_text(location)
    try:
        return base.join(URL(location))
    except ValueError:
        pass
    raise Forbidden(f"a redirect to something that is not a URL; {_REMEDY}")


def _check_text(url: str) -> None:
    """Refuse what browsers, servers and libraries read differently, so that all checks mean one place."""
    if _MISREAD.search(url):
        raise Forbidden(f"white space or a backslash in the address; {_REMEDY}")
    if _NAMED.match(url):
        raise Forbidden(f"a user name in the address; {_REMEDY}")


def _check_host(host: str) -> None:
    """Refuse forbidden literals, and every number that only some programs read as an address."""
    bare = host.rstrip(".")
    if ":" not in host and not _NUMBER.fullmatch(bare.rpartition(".")[2]):
        return
    if (why := why_not(host)) is not None:
        raise Forbidden(f"{host} is not a public address ({why}); {_REMEDY}")


def guarded(make: Callable[[AddrInfoType], socket.socket]) -> Callable[[AddrInfoType], socket.socket]:
    """A socket factory that makes no socket for a forbidden address: the final check.

    Forbidden is no OSError, so that aiohttp neither hides it nor tries the name's next address.
    """

    def factory(found: AddrInfoType) -> socket.socket:
        address, port = str(found[4][0]), found[4][1]
        if (why := why_not(address)) is not None:
            raise Forbidden(f"the name stands for {address}, which is not public ({why}); {_REMEDY}")
        if port not in PORTS:
            raise Forbidden(f"port {port}; only 80 and 443 are asked")
        return make(found)

    return factory


def plain(found: AddrInfoType) -> socket.socket:
    """A socket for an address, as aiohttp would make it."""
    return socket.socket(family=found[0], type=found[1], proto=found[2])
