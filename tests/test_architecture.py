"""Who may know whom (the house's plan), read from the imports of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "connectors", "webhooks", "bot", "pages", "config")
MAY_KNOW: dict[str, tuple[str, ...]] = {
    "core": ("core",),
    "connectors": ("connectors", "core.events", "core.reactions"),
    "webhooks": ("webhooks", "connectors", "core"),
    "bot": ("bot", "connectors", "core"),
    "pages": ("pages", "connectors", "core"),
    "config": ROOMS,
}
FENCED: dict[str, tuple[str, ...]] = {
    "discord": ("bot/discord", "connectors/discord.py"),
    "apscheduler": ("config/schedule.py",),
    "stripe": ("core/payments/stripe/client.py",),
    "PIL": ("pages/statements/",),
    "tweepy": ("connectors/twitter", "bot/twitter"),
    "click": ("config/",),
    "rich": ("config/",),
    "jinja2": ("pages/",),
    "alembic": ("core/database.py", "core/migrations/"),
    "cryptography": ("core/mail/", "config/keys.py"),
}
"""Third parties and the only places that may import them."""


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_whom_it_may(room: str):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in imports(path)
        if name.split(".")[0] in (*ROOMS, "tests", "bench")
        and not any(within(name, allowed) for allowed in MAY_KNOW[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("library", FENCED)
def test_a_third_party_stays_behind_its_fence(library: str):
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources()
        if any(within(name, library) for name in imports(path))
        and not any(str(path.relative_to(ROOT)).startswith(place) for place in FENCED[library])
    ]
    assert wrong == []


def test_the_core_never_asks_the_clock():
    asked = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "core").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert asked == []


def test_every_file_says_in_its_first_line_what_it_is_for():
    assert [str(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > 300
        and path.parent.name != "versions"
        and path.parent != ROOT / "connectors"  # one file a platform, however much the platform has to say
    }
    assert long == {}
