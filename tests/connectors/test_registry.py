"""Connectors are found through the entry-point group; a stranger's mistakes stay the stranger's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from connectors import registry
from connectors.base import Connector, WebhookConnector
from connectors.github import connector as github
from core.events import AccountRef, ThingRef

STRANGER = """
from tests.connectors.broken import CARD, Toy
from dataclasses import replace

toy = Toy()
def named(name):
    return type("Named", (Toy,), {"card": replace(CARD, platform=name)})()
upper, web, github = named("Upper"), named("web"), named("github")
class Silent:
    card = CARD
silent = Silent()
class Exploding:
    @property
    def card(self):
        raise KeyError("no card today")
exploding = Exploding()
nothing = object()
"""


class Install:
    """Writes packages as pip would, with their entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[str] = []

    def __call__(self, package: str, *lines: str, code: str = STRANGER) -> None:
        site = self.folder / package
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[flattr.connectors]\n" + "\n".join(lines) + "\n")
        (site / f"{package}_module.py").write_text(code)
        self.paths.append(str(site))
        sys.path.insert(0, str(site))

    def entries(self) -> list[metadata.EntryPoint]:
        found = metadata.distributions(path=self.paths)
        return [entry for each in found for entry in each.entry_points if entry.group == registry.GROUP]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    before, modules = list(sys.path), set(sys.modules)
    yield Install(tmp_path)
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if name.endswith("_module"):
            del sys.modules[name]


def test_the_hubs_own_connectors_come_through_the_same_door() -> None:
    own = [
        metadata.EntryPoint(name="github", value="connectors.github:connector", group=registry.GROUP),
    ]
    found = registry.find(own)
    assert found.connectors == {"github": github}
    assert not found.broken


def test_a_strangers_package_is_found_and_named(install: Install) -> None:
    install("stranger", "toy = stranger_module:toy")
    found = registry.find(install.entries())
    assert isinstance(found.connectors["toy"], WebhookConnector)
    assert found.packages == {"toy": "stranger"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("toy = stranger_module:missing", "AttributeError"),
        ("toy = no_such_module:toy", "ModuleNotFoundError"),
        ("toy = stranger_module:exploding", "no card today"),
        ("toy = stranger_module:nothing", "AttributeError"),
        ("toy = stranger_module:silent", "lacks challenge, verify or translate"),
        ("tumbler = stranger_module:toy", "its card says 'toy'"),
        ("Upper = stranger_module:upper", "cannot be a platform's name"),
        ("web = stranger_module:web", "cannot be a platform's name"),
    ],
)
def test_a_broken_stranger_is_reported_and_stops_nobody(install: Install, line: str, words: str) -> None:
    install("stranger", line)
    install("neighbour", "github = neighbour_module:github")
    found = registry.find(install.entries())
    assert list(found.connectors) == ["github"]
    (broken,) = found.broken
    assert broken.package == "stranger"
    assert words in str(broken)
    assert "update or uninstall stranger" in str(broken)


@pytest.mark.parametrize("code", ["raise RuntimeError('at import')", "import sys; sys.exit(3)", "1 +"])
def test_a_strangers_import_may_fail_in_any_way(install: Install, code: str) -> None:
    install("stranger", "toy = stranger_module:toy", code=code)
    found = registry.find(install.entries())
    assert not found.connectors
    assert len(found.broken) == 1


def test_a_clash_of_names_is_refused_with_both_packages_named(install: Install) -> None:
    install("stranger", "github = stranger_module:github")
    install("impostor", "github = impostor_module:github")
    with pytest.raises(registry.NameClash, match=r"impostor.*stranger|stranger.*impostor"):
        registry.find(install.entries())


def test_the_same_line_seen_twice_is_no_clash(install: Install) -> None:
    install("stranger", "toy = stranger_module:toy")
    found = registry.find([*install.entries(), *install.entries()])
    assert list(found.connectors) == ["toy"]


def test_load_logs_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, install: Install
) -> None:
    install("stranger", "toy = stranger_module:toy", "lost = stranger_module:lost")
    entries = metadata.EntryPoints(install.entries())
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries.select(group=group))
    assert list(registry.load()) == ["toy"]
    assert "connector lost of package stranger cannot be used" in caplog.text


class Square:
    """A network that knows its own addresses."""

    card = github.card

    def resolve(self, url: str) -> tuple[ThingRef, AccountRef | None] | None:
        if not url.startswith("https://square.example/"):
            return None
        author = AccountRef(platform="square", account_id="7")
        return ThingRef(platform="square", native_id="1", url=url), author


KNOWN: dict[str, Connector] = {"github": github, "square": Square()}


@pytest.mark.parametrize(
    ("text", "platform", "url"),
    [
        ("https://square.example/1", "square", "https://square.example/1"),
        ("<https://square.example/1>", "square", "https://square.example/1"),
        (" square.example/1 ", "square", "https://square.example/1"),
        ("https://github.com/sowerby/box/", "web", "https://github.com/sowerby/box"),
        ("https://example.org/post?utm_source=x#top", "web", "https://example.org/post"),
        ("example.org", "web", "https://example.org/"),
        ("http://example.org:8000/", "web", "http://example.org:8000/"),
    ],
)
def test_an_address_is_resolved_by_who_knows_it_or_as_a_page(text: str, platform: str, url: str) -> None:
    named = registry.resolve(KNOWN, text)
    assert named is not None
    assert (named[0].platform, named[0].url) == (platform, url)
    if platform == "web":
        assert named[0].native_id == url
        assert named[1] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "two words.example",
        "mailto:a@b.example",
        "me@example.org",
        "https://localhost/",
        "http://[::1",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_public_address_is_nothing(text: str) -> None:
    assert registry.resolve(KNOWN, text) is None
