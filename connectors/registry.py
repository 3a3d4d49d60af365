"""Which connectors there are: the hub's own and strangers' come through the same entry-point group."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from connectors import addresses
from connectors.base import Card, Connector, ResolvingConnector, WebhookConnector
from connectors.polling import PollingConnector
from core.events import AccountRef, ThingRef

GROUP = "flattr.connectors"
"""The entry-point group: a line ``name = "package.module:connector"`` under it brings a platform in."""

WEB = "web"
"""The platform of pages that no connector knows."""

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A connector that could not be loaded; the hub runs without it."""

    name: str
    package: str
    reason: str

    def __str__(self) -> str:
        return (
            f"connector {self.name} of package {self.package} cannot be used: {self.reason}; "
            f"update or uninstall {self.package}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is installed: connectors by platform, the package that provides each, and what is broken."""

    connectors: Mapping[str, Connector]
    packages: Mapping[str, str]
    broken: tuple[Broken, ...] = ()


class NameClash(Exception):
    """Two packages provide the same platform; which one to trust is the operator's to say."""


def find(entries: Iterable[metadata.EntryPoint] | None = None) -> Found:
    """Load every connector of the group, or of ``entries``.

    A stranger's error is reported in ``broken`` and stops nobody else. Raises NameClash if two packages claim
    one platform: taking either of them would let a package read another one's deliveries and secrets.
    """
    connectors: dict[str, Connector] = {}
    packages: dict[str, str] = {}
    broken: list[Broken] = []
    chosen = _one_each(metadata.entry_points(group=GROUP) if entries is None else entries)
    for name, entry in sorted(chosen.items()):
        loaded = _loaded(entry)
        if isinstance(loaded, Broken):
            broken.append(loaded)
        else:
            connectors[name] = loaded
            packages[name] = _package(entry)
    return Found(connectors=connectors, packages=packages, broken=tuple(broken))


def load() -> dict[str, Connector]:
    """The connectors that can be used, by platform; what cannot is logged. Raises NameClash, see `find`."""
    found = find()
    for each in found.broken:
        _log.warning("%s", each)
    return dict(found.connectors)


def resolve(connectors: Mapping[str, Connector], url: str) -> tuple[ThingRef, AccountRef | None] | None:
    """The thing that a URL names, by the platform that knows it, else as a web page; None: not a public URL.

    A page's author is None (pending) until somebody proves that the page is theirs. An address without a
    scheme (``example.org/post``) is read as https, as browsers do.
    """
    text = url.strip().removeprefix("<").removesuffix(">")
    if not _SCHEME.match(text):
        text = f"https://{text}"
    for connector in connectors.values():
        if isinstance(connector, ResolvingConnector) and (named := connector.resolve(text)) is not None:
            return named
    page = addresses.canonical(text)
    return None if page is None else (ThingRef(platform=WEB, native_id=page, url=page), None)


def _one_each(entries: Iterable[metadata.EntryPoint]) -> dict[str, metadata.EntryPoint]:
    chosen: dict[str, metadata.EntryPoint] = {}
    for entry in entries:
        other = chosen.setdefault(entry.name, entry)
        # The same line can be seen twice: once installed, once in the working tree.
        if (other.value, _package(other)) != (entry.value, _package(entry)):
            raise NameClash(
                f"two packages provide a connector named {entry.name}: {_package(other)} ({other.value}) and "
                f"{_package(entry)} ({entry.value}); uninstall one of them"
            )
    return chosen


def _loaded(entry: metadata.EntryPoint) -> Connector | Broken:
    def broken(reason: str) -> Broken:
        return Broken(name=entry.name, package=_package(entry), reason=reason)

    try:
        connector = entry.load()
        card = connector.card
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module may raise anything at all
        return broken(f"{type(error).__name__}: {error}")
    if not isinstance(card, Card):
        return broken(f"{entry.value} has no card of facts; give it a `card` (docs/connectors.md)")
    if card.platform != entry.name:
        return broken(f"its card says {card.platform!r}; entry point and card must have one name")
    if not _NAME.fullmatch(entry.name) or entry.name == WEB:
        return broken(f"{entry.name!r} cannot be a platform's name; use a to z, 0 to 9 and _, but not {WEB!r}")
    if card.route == "webhook" and not isinstance(connector, WebhookConnector):
        return broken("its card says webhook, but it lacks challenge, verify or translate")
    if card.route == "poll" and not isinstance(connector, PollingConnector):
        return broken("its card says poll, but it lacks plan, poll or still")
    usable: Connector = connector
    return usable


def _package(entry: metadata.EntryPoint) -> str:
    """The distribution that an entry point came from, as `pip uninstall` wants to hear it."""
    return entry.dist.name if entry.dist is not None else "an unknown package"
