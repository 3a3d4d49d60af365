"""Reading a body no further than allowed, packed or not, to its proper end."""

from __future__ import annotations

import zlib

import aiohttp

from connectors.outgoing.failures import Garbled, TooLarge

_CHUNK = 65_536


class CutOff(Exception):
    """The body ended before its end."""


async def read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """The whole body, unpacked, at most ``largest`` bytes; TooLarge, Garbled or CutOff.

    The session must leave unpacking to us (``auto_decompress=False``): so a kilobyte cannot become a
    gigabyte before anybody looks.
    """
    too_large = f"the answer is larger than {largest} bytes; ask for less"
    if (response.content_length or 0) > largest and response.method != "HEAD":
        raise TooLarge(too_large)
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip"):
        raise Garbled("the answer is packed in a way that was not asked for; treat it as no answer")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if "gzip" in packing else None
    body = bytearray()
    packed = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        packed += len(chunk)
        body += chunk if unpack is None else _unpacked(unpack, chunk, largest + 1 - len(body))
        if len(body) > largest or packed > largest:
            raise TooLarge(too_large)
    if unpack is not None and packed and not unpack.eof:
        raise CutOff("the packed body has no end")
    return bytes(body)


def _unpacked(unpack: zlib._Decompress, chunk: bytes, room: int) -> bytes:
    try:
        piece = unpack.decompress(chunk, room)
    except zlib.error:
        piece = None
    if piece is None or unpack.unused_data:
        raise Garbled("the answer cannot be unpacked; treat it as no answer")
    return piece
