"""What of a URL may stand in a log or an error: where it leads, never what it carries."""

from __future__ import annotations

import re

from yarl import URL

HIDDEN = "…"
_PLAIN = re.compile(r"[A-Za-z0-9_=.~+-]{0,19}|[a-z_.~-]{20,40}")
"""Names and ids; tokens are longer, or hold digits and capitals, or signs such as Telegram's colon."""


def shown(url: str | URL) -> str:
    """The URL without user info, fragment, values of its query, and path segments that could be tokens.

    Every value is hidden, not only those of known names such as access_token: a stranger's URL may carry
    its secret anywhere. Telegram writes its token into the path (/bot123:ABC/...), Slack's hooks do too.
    """
    try:
        parsed = url if isinstance(url, URL) else URL(url)
        host, port = parsed.raw_host, parsed.explicit_port
    except ValueError:
        return "(not a URL)"
    if not host:
        return "(not a URL)"
    path = "/".join(_segment(each) for each in parsed.raw_path.split("/"))
    query = "&".join(f"{_segment(name)}={HIDDEN}" for name in parsed.query)
    return f"{parsed.scheme}://{host}{f':{port}' if port else ''}{path}{f'?{query}' if query else ''}"


def _segment(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else HIDDEN
