"""A delivery as bytes: how the inbox keeps a request exactly as it was received."""

from __future__ import annotations

import json
import zlib
from datetime import datetime

from connectors.base import Delivery

_encode = json.JSONEncoder(separators=(",", ":")).encode


_PLAIN, _COMPRESSED = b"p", b"z"


def pack(delivery: Delivery, *, hurry: bool = False) -> bytes:
    """All of a delivery but its time of receipt: a JSON line of what is about the body, then the body; compressed.

    In a ``hurry`` it is not compressed: that takes longer than all else that an acknowledgement waits for, so
    under load deliveries take more room instead. Header bytes that are not text (aiohttp's surrogates) survive
    as JSON's escapes.
    """
    about = [delivery.method, delivery.path, dict(delivery.query), dict(delivery.headers)]
    head = _encode(about).encode("ascii")
    if hurry:
        return b"%b%b\n%b" % (_PLAIN, head, delivery.body)
    return _COMPRESSED + zlib.compress(b"%b\n%b" % (head, delivery.body))


def unpack(packed: bytes, received_at: datetime) -> Delivery:
    """The delivery again; ValueError if the bytes are not a packed delivery."""
    try:
        kind, content = packed[:1], packed[1:]
        if kind not in (_PLAIN, _COMPRESSED):
            raise TypeError(kind)
        head, _, body = (content if kind == _PLAIN else zlib.decompress(content)).partition(b"\n")
        method, path, query, headers = json.loads(head)
        return Delivery(
            method=method,
            path=path,
            query=query,
            headers={name: tuple(values) for name, values in headers.items()},
            body=body,
            received_at=received_at,
        )
    except (zlib.error, TypeError, AttributeError) as error:
        raise ValueError("the stored bytes are not a packed delivery") from error
