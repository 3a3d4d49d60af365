"""The one spelling of a web page's address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.addresses import LONGEST, canonical


@pytest.mark.parametrize(
    ("given_url", "spelled"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://Example.ORG/Path", "https://example.org/Path"),
        ("http://example.org:80/a", "http://example.org/a"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("https://example.org./a", "https://example.org/a"),
        ("https://example.org/a#part", "https://example.org/a"),
        ("https://example.org/a?", "https://example.org/a"),
        ("https://example.org/a?utm_source=x&UTM_Medium=y", "https://example.org/a"),
        ("https://example.org/a?b=2&fbclid=1&a=1&b=2", "https://example.org/a?b=2&a=1&b=2"),
        ("https://example.org/a?gclid=1&igshid=2&mc_cid=3&mc_eid=4&x", "https://example.org/a?x"),
        ("https://example.org/a?utm%5Fsource=1&c=2", "https://example.org/a?c=2"),
        ("https://example.org/a?mystery=1&gclids=2", "https://example.org/a?mystery=1&gclids=2"),
        ("https://bücher.example/ä/ö?ü=ß", "https://xn--bcher-kva.example/%C3%A4/%C3%B6?%C3%BC=%C3%9F"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://example.org/%c3%a4", "https://example.org/%C3%A4"),
        ("https://example.org/100%", "https://example.org/100%25"),
        ("https://example.org/a//b/../c/", "https://example.org/a//b/../c/"),
        ("https://_dmarc.example.org/", "https://_dmarc.example.org/"),
    ],
)
def test_an_address_has_one_spelling(given_url: str, spelled: str) -> None:
    assert canonical(given_url) == spelled


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "https://",
        "https:///path",
        "ftp://example.org/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://example.org\\@evil.example/",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://exam\tple.org/",
        "https://example.org/\ud800",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://localhost/",
        "https://intranet/",
        "https://printer.local/",
        "https://a.localhost/",
        "https://db.internal/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://example.0x7f/",
        "http://[::1]/",
        "http://[::1",
        "http://\uff11\uff12\uff17.0.0.1/",
        "https://-a.example/",
        "https://a..example/",
        "https://" + "a" * 64 + "é.example/",
        "https://example.org/" + "a" * LONGEST,
        "https://example.org/" + "ä" * (LONGEST // 2),
    ],
)
def test_what_is_no_public_page_has_none(url: str) -> None:
    assert canonical(url) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_spelling_is_final(path: str, query: str) -> None:
    spelled = canonical(f"https://example.org/{path}?{query}")
    assert spelled is None or canonical(spelled) == spelled


@given(st.text(max_size=80))
def test_any_text_has_a_spelling_or_none(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.org{text}"):
        spelled = canonical(url)
        assert spelled is None or (spelled.isascii() and spelled.startswith(("http://", "https://")))
