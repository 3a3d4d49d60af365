"""Where a user's URL can send the hub: nowhere but to public addresses, whichever way it tries (reliability S3)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from aiohttp import AddrInfoType, web
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.client import Client, Forbidden, Unreachable
from connectors.outgoing import places
from tests.platforms.misbehaving import Misbehaving, Passing, always


def words(text: str) -> list[str]:
    return text.split()


FORBIDDEN = words("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3 127.255.255.255
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.17.0.1 172.31.255.255 192.0.0.1 192.0.0.8
192.0.0.170 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.255 192.175.48.1
198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 233.252.0.1 239.255.255.250 240.0.0.1 255.255.255.254
255.255.255.255 :: ::1 ::2 ::7f00:1 ::127.0.0.1 ::93.184.216.34 ::ffff:0.0.0.0 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:169.254.169.254 ::ffff:93.184.216.34 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::169.254.169.254
64:ff9b::93.184.216.34 64:ff9b:1::1 64:ff9b:1::10.0.0.1 100::1 100:0:0:1::1 200::1 400::1 1000::1 2001::1
2001:0:7f00:1::1 2001:2::1 2001:5::1 2001:10::1 2001:20::1 2001:1ff::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1::1
2002:a00:1::1 2002:5db8:d822::1 2620:4f:8000::1 3ffe::1 3fff::1 3fff:fff::1 4000::1 5f00::1 8000::1 e000::1 fc00::1
fd00::1 fd00:ec2::254 fdff::1 fe00::1 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1 ffff::1
""")
PUBLIC = words("""
1.1.1.1 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
169.255.0.1 172.15.255.255 172.32.0.0 192.0.1.1 192.0.3.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
203.0.112.255 223.255.255.255 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1
2606:2800:220:1:248:1893:25c8:1946 2a00:1450:4001::1 2620:4f:7fff::1 3ffd::1 3fff:1000::1
""")
SPELLINGS = words("""
http://127.1/ http://127.0.1/ http://2130706433/ http://017700000001/ http://0177.0.0.1/ http://0x7f.0.0.1/ http://0x7f.1/
http://0x7f000001/ http://0X7F.0X0.0X0.0X1/ http://0/ http://127.0.0.1./ http://127.0.0.1../ http://127.0.0.01/
http://1.1.1.1.1/ http://256.256.256.256/ http://127。0。0。1/ http://①②⑦.0.0.1/ http://\uff11\uff12\uff17.0.0.1/ http://0x7f.1。/
http://127%2e0%2e0%2e1/ http://%31%32%37.0.0.1/ http://[::1%25lo]/ http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/
http://[0:0:0:0:0:0:0:1]/ http://[::ffff:7f00:1]/ http://[::FFFF:127.0.0.1]/ http://[::ffff:0x7f000001]/ http://[v1.::1]/
http://169.254.43518/ http://0251.0376.0251.0376/ http://0xa9fea9fe/ http://2852039166/ https://2886729729/
""")
HOSTILE = [
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org:80/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//example.org/",
    "example.org",
    "",
    "http://",
    "http:///path",
    "http://[::1",
    "http://user@example.org/",
    "http://user:word@example.org/",
    "http://@example.org/",
    "http://:@example.org/",
    "http://example.org@127.0.0.1/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\.internal/",
    "http://example.org/\r\nHost: internal",
    "http://exam\tple.org/",
    " http://example.org/",
    "http://example.org/\ud800",
    "http://example.org:22/",
    "http://example.org:8080/",
    "http://example.org:0/",
    "http://example.org:65536/",
    "http://example.org:-80/",
    "https://example.org:6379/",
]
GOOD = "93.184.216.34"


@dataclass
class Names(AbstractResolver):
    """A name server that answers as told; of several answers each question uses up one, the last one stays."""

    known: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def say(self, name: str, *answers: str | list[str]) -> None:
        self.known[name] = [[each] if isinstance(each, str) else each for each in answers]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.known:
            raise OSError(None, "unknown name")
        answers = self.known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        return None


class Diverted(socket.socket):
    """A socket that goes to the fake server wherever it is sent."""

    to: tuple[str, int]

    def connect(self, _: object) -> None:
        super().connect(self.to)


class Diversion:
    """Makes such sockets; remembers for which addresses, so that a test sees who would have been called."""

    def __init__(self) -> None:
        self.port = 0
        self.called: list[str] = []

    def __call__(self, found: AddrInfoType) -> socket.socket:
        self.called.append(str(found[4][0]))
        made = Diverted(found[0], found[1], found[2])
        made.to = ("::1" if found[0] == socket.AF_INET6 else "127.0.0.1", self.port)
        return made


class Web(Misbehaving):
    """The world wide web, on both of loopback's families."""

    async def start(self) -> None:
        await super().start()
        assert self._runner is not None
        await web.TCPSite(self._runner, "::1", self.port).start()


@pytest.fixture
async def world() -> AsyncIterator[Web]:
    async with Web() as started:
        yield started


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def diversion(world: Web) -> Diversion:
    made = Diversion()
    made.port = world.port
    return made


@pytest.fixture
async def client(names: Names, diversion: Diversion) -> AsyncIterator[Client]:
    async with Client(hub="hub", resolver=names, connect=diversion, **Passing().parts) as made:
        yield made


async def read(client: Client, url: str, **more: object) -> object:
    return await client.request("GET", url, platform="web", foreign=True, **more)  # type: ignore[arg-type]


def literal(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


def test_the_table_is_long_enough():
    assert len(set(FORBIDDEN)) == len(FORBIDDEN) >= 60


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_no_way_leads_to_a_forbidden_address(
    address: str, client: Client, world: Web, names: Names, diversion: Diversion
):
    # As a literal.
    for url in (literal(address), literal(address).replace("http:", "https:")):
        with pytest.raises(Forbidden):
            await read(client, url)
    # As what a name stands for: alone, or beside a public address.
    names.say("trap.example", address)
    names.say("half.example", [address, GOOD])
    for host in ("trap", "half"):
        with pytest.raises(Forbidden):
            await read(client, f"http://{host}.example/")
    assert world.heard == diversion.called == []
    # As the end of a redirect, by literal and by name.
    names.say("good.example", GOOD)
    for location in (literal(address), "http://trap.example/", f"//{literal(address)[7:]}"):
        world.answers["/"] = always(302, headers={"Location": location})
        with pytest.raises(Forbidden):
            await read(client, "http://good.example/")
    # As what a name stands for the second time, though the connection of the first could be used again.
    world.answers["/"] = always(headers={"Connection": "keep-alive"})
    names.say("turning.example", GOOD, address)
    await read(client, "http://turning.example/")
    with pytest.raises(Forbidden):
        await read(client, "http://turning.example/")
    assert set(diversion.called) == {GOOD}


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_asked(address: str, client: Client, world: Web, names: Names, diversion: Diversion):
    names.say("good.example", address)
    names.say("start.example", GOOD)
    world.answers["/start"] = always(301, headers={"Location": literal(address)})
    for url in (literal(address), "http://good.example/", "http://start.example/start"):
        assert (await read(client, url)).status == 200  # type: ignore[attr-defined]
    assert diversion.called == [address, address, GOOD, address]


@pytest.mark.parametrize("url", SPELLINGS)
async def test_no_spelling_of_a_number_is_asked(url: str, client: Client, world: Web, names: Names):
    with pytest.raises((Forbidden, Unreachable)):
        await read(client, url)
    names.say("good.example", GOOD)
    world.answers["/"] = always(302, headers={"Location": url})
    with pytest.raises((Forbidden, Unreachable)):
        await read(client, "http://good.example/")
    assert len(world.heard) == 1


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_url_is_not_asked(url: str, client: Client, world: Web, names: Names, diversion: Diversion):
    names.say("example.org", GOOD)
    with pytest.raises(Forbidden):
        await read(client, url)
    assert world.heard == diversion.called == []


RELATIVE = ("", "http://", "http:///path", "//example.org/", "example.org")
"""In a Location these lead back to the same host."""


@pytest.mark.parametrize(
    "url", [each for each in HOSTILE if each not in RELATIVE and each.isprintable() and each.strip() == each]
)
async def test_a_redirect_to_a_hostile_url_is_not_followed(url: str, client: Client, world: Web, names: Names):
    names.say("example.org", GOOD)
    world.answers["/start"] = always(302, headers={"Location": url})
    with pytest.raises(Forbidden):
        await read(client, "http://example.org/start")
    assert len(world.heard) == 1


async def test_a_name_that_the_resolver_answers_with_no_address_is_forbidden(client: Client, names: Names):
    names.say("odd.example", "localhost")
    with pytest.raises(Forbidden):
        await read(client, "http://odd.example/")


@pytest.mark.parametrize("host", ["unknown.example", "a..b", "x" * 64 + ".example", "localhost"])
async def test_an_unknown_name_is_unreachable(client: Client, host: str):
    with pytest.raises((Unreachable, Forbidden)):
        await read(client, f"http://{host}/")


async def test_a_connection_of_ours_is_not_used_for_a_strangers_url(names: Names, diversion: Diversion):
    async with Web() as ours, Client(hub="hub", resolver=names, connect=diversion, **Passing().parts) as client:
        await client.request("GET", ours.base, platform="tumbler")
        with pytest.raises(Forbidden):
            await client.request("GET", ours.base, platform="tumbler", foreign=True)
        assert len(ours.heard) == 1


async def test_strangers_connections_are_not_kept(client: Client, world: Web, names: Names):
    names.say("good.example", GOOD)
    await read(client, "http://good.example/")
    await read(client, "http://good.example/")
    assert len(names.asked) == 2
    assert world.heard[0].port != world.heard[1].port


async def test_five_redirects_are_followed_and_no_sixth(client: Client, world: Web, names: Names):
    for number in range(7):
        names.say(f"s{number}.example", GOOD)
        world.answers[f"/{number}"] = always(302, headers={"Location": f"http://s{number + 1}.example/{number + 1}"})
    world.answers["/6"] = always(body=b"end")
    assert (await read(client, "http://s1.example/1")).url == "http://s6.example/6"  # type: ignore[attr-defined]
    with pytest.raises(Forbidden):
        await read(client, "http://s0.example/0")


async def test_secrets_do_not_follow_to_another_origin(client: Client, world: Web, names: Names):
    names.say("a.example", GOOD)
    names.say("b.example", GOOD)
    world.answers["/start"] = always(302, headers={"Location": "http://b.example/end"})
    headers = {"Authorization": "x", "Cookie": "y", "X-Api-Key": "z", "Accept": "text/html"}
    await read(client, "http://a.example/start", headers=headers)
    assert "x-api-key" in world.heard[0].headers
    assert not {"authorization", "cookie", "x-api-key"} & set(world.heard[1].headers)
    assert world.heard[1].headers["accept"] == "text/html"
    assert world.heard[1].headers["host"] == "b.example"


async def test_one_slow_site_slows_no_other(client: Client, world: Web, names: Names):
    names.say("slow.example", GOOD)
    names.say("other.example", GOOD)
    world.answers["/slow"] = always(429, headers={"Retry-After": "9000"})
    with pytest.raises(Exception, match="9000"):
        await read(client, "http://slow.example/slow")
    assert (await read(client, "http://other.example/")).status == 200  # type: ignore[attr-defined]


def edges() -> Iterator[tuple[str, str]]:
    for network in map(ipaddress.ip_network, places._FORBIDDEN):
        yield str(network[0]), str(network)
        yield str(network[-1]), str(network)


@pytest.mark.parametrize(("address", "network"), list(edges()))
def test_each_line_of_the_table_holds_to_its_edges(address: str, network: str):
    assert places.why_not(address) is not None, network


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f.1", "::1%1", "2001:4860:4860::8888%eth0", "1.1.1.1 ", "²"]
)
def test_what_is_no_plain_address_is_forbidden(text: str):
    assert places.why_not(text) is not None


# Two checks stand behind each other; each must hold alone


@pytest.mark.parametrize("url", [literal(address) for address in FORBIDDEN] + HOSTILE)
def test_the_first_check_holds_alone(url: str):
    with pytest.raises(Forbidden):
        places.checked(url)


@pytest.mark.parametrize(("address", "port"), [*((each, 80) for each in FORBIDDEN), (GOOD, 22), (GOOD, 0)])
def test_the_second_check_holds_alone(address: str, port: int):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made: list[AddrInfoType] = []
    factory = places.guarded(lambda found: made.append(found) or socket.socket())  # type: ignore[func-returns-value]
    with pytest.raises(Forbidden):
        factory((family, socket.SOCK_STREAM, 0, "", (address, port)))
    assert made == []
