"""Templates and headers: nothing foreign runs, nothing is left unescaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

import pages
from pages.rendering import HEADERS, Pages, ago
from pages.sandbox.views import slices

TEMPLATES = sorted((Path(pages.__file__).parent / "templates").rglob("*.*"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_what_the_policy_forbids(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|<script(?![^>]*\ssrc=)", text, re.IGNORECASE)
    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    assert "http:" not in text
    assert "https:" not in text


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "same-origin"


def test_text_is_escaped() -> None:
    page = Pages().page("refused.html", reason="<img src=x onerror=alert(1)> & \"'")
    assert page.text is not None
    assert "<img" not in page.text
    assert "&lt;img src=x" in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["../rendering.py", "..%2Frendering.py", "nothing.css", "", "templates"])
async def test_only_known_static_files_are_answered(name: str) -> None:
    request = make_mocked_request("GET", "/static/x", match_info={"name": name})
    with pytest.raises(web.HTTPNotFound):
        await Pages().static(request)


def test_a_static_file_is_kept_only_under_its_version() -> None:
    made = Pages()
    assert re.fullmatch(r"/static/hub\.css\?v=[0-9a-f]{12}", made.static_url("hub.css"))
    with pytest.raises(LookupError, match=r"hub\.css"):
        made.static_url("nothing.css")


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=3), "7 Nov"),
        (timedelta(days=400), "6 Oct 2025"),
    ],
)
def test_times_are_shown_in_one_unit(before: timedelta, shown: str) -> None:
    now = datetime(2026, 11, 10, 12, tzinfo=UTC)
    assert ago(now - before, now) == shown


def test_a_bar_is_cut_without_gap_or_overlap() -> None:
    cut = slices([(str(each), "", 1, 3_150_000 + each, 0) for each in range(9)] + [("fee", "", 0, 3_500_000, 15)])
    edges = [(each.x, each.x + each.width) for each in cut]
    assert edges[0][0] == 0
    assert edges[-1][1] == 1000
    assert all(before[1] == after[0] for before, after in pairwise(edges))
