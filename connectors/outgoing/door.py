"""One way out: an aiohttp session, and a single attempt through it whose failures tell no secrets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver
from yarl import URL

from connectors.outgoing import body
from connectors.outgoing.failures import Forbidden, Garbled, TooLarge, Unanswered, Unreachable
from connectors.outgoing.hiding import shown
from connectors.outgoing.response import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is sent; the URL is complete and checked."""

    method: str
    url: URL
    headers: Mapping[str, str]
    content: bytes | None
    largest: int

    def at(self, url: URL) -> Question:
        """The same question at the next hop; to another origin without anything that could be a secret."""
        if url.origin() == self.url.origin():
            return replace(self, url=url)
        kept = {name: value for name, value in self.headers.items() if name in ("accept", "user-agent")}
        return replace(self, url=url, headers=kept)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An attempt without an answer. ``passing``: another may succeed; ``sent``: this one may have been read."""

    failure: Unanswered
    passing: bool = False
    sent: bool = True


class _Dropped(Exception):
    """The connection ended before the answer began."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a dropped request again by itself: neither budget nor breaker would know of it."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise _Dropped from None


class Door:
    """A session of its own, so that no connection is shared between our platforms and strangers' pages."""

    def __init__(
        self,
        *,
        resolver: AbstractResolver | None = None,
        connect: Callable[[AddrInfoType], socket.socket] | None = None,
        pooled: bool = True,
    ) -> None:
        self._resolver, self._connect, self._pooled = resolver, connect, pooled
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, question: Question, seconds: float) -> Response | Trouble:
        """Ask once, without following redirects; cancelled or not, no connection is left behind."""
        where = f"{question.method} {shown(question.url)}"
        # What aiohttp raises holds the request with its headers. It is left inside this block; the caller
        # raises an error that has never seen it.
        try:
            async with self._opened().request(
                question.method,
                question.url,
                headers=question.headers,
                data=question.content,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=seconds / 2),
            ) as answer:
                content = await body.read(answer, question.largest)
                names = {name.lower() for name in answer.headers}
                return Response(
                    status=answer.status,
                    headers={name: ", ".join(answer.headers.getall(name)) for name in names},
                    body=content,
                    url=str(question.url),
                )
        except (Forbidden, TooLarge, Garbled) as error:
            return Trouble(type(error)(f"{where}: {error}"))
        except aiohttp.ClientConnectorCertificateError:
            return Trouble(Unreachable(f"{where}: its certificate is not valid; check the address"), sent=False)
        except aiohttp.InvalidURL:
            return Trouble(Forbidden(f"{where}: not a URL; check the address"), sent=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, UnicodeError) as error:
            what = "the name is unknown" if isinstance(error, aiohttp.ClientConnectorDNSError) else "no connection"
            return Trouble(Unreachable(f"{where}: {what}; ask again later"), passing=True, sent=False)
        except TimeoutError:
            return Trouble(Unreachable(f"{where}: no answer in time; ask again later"), passing=True)
        except (aiohttp.ClientError, OSError, body.CutOff, _Dropped):
            return Trouble(Unreachable(f"{where}: cut off; ask again later"), passing=True)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            # aiohttp closes transports on the loop's next turns.
            await asyncio.sleep(0)

    def _opened(self) -> aiohttp.ClientSession:
        # Made here, because aiohttp wants a running event loop.
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                socket_factory=self._connect,
                use_dns_cache=self._pooled,
                force_close=not self._pooled,
                limit_per_host=0 if self._pooled else 2,
                # Without it an address that must not be asked cannot hide behind one that answers faster.
                happy_eyeballs_delay=0.25 if self._pooled else None,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                raise_for_status=False,
                middlewares=(_once,),
            )
        return self._session
