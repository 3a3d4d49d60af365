"""The load of the intake's benchmark: signed deliveries over connections that stay open."""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import socket
import time
from multiprocessing.connection import Connection

SECRET = b"a secret for the benchmark"
CONNECTIONS = 64
BODY = 6 * 1024


class _Load:
    """Makes the requests of one round and keeps what came of them."""

    _counter = 0

    def __init__(self) -> None:
        self.statuses: dict[bytes, int] = {}
        self.latencies: list[float] = []
        self._head = b'{"sender":' + _filling(BODY - 60) + b',"number":"'
        self._hmac = hmac.new(SECRET, self._head, hashlib.sha256)

    def request(self) -> bytes:
        _Load._counter += 1
        tail = b'%016d-%016x"}' % (_Load._counter, time.time_ns())
        signature = self._hmac.copy()
        signature.update(tail)
        body = self._head + tail
        return (
            b"POST /webhooks/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
            b"Content-Type: application/json\r\nX-GitHub-Event: star\r\nX-GitHub-Delivery: %d\r\n"
            b"X-Hub-Signature-256: sha256=%s\r\nContent-Length: %d\r\n\r\n%s"
        ) % (_Load._counter, signature.hexdigest().encode(), len(body), body)

    def answered(self, status: bytes, sent_at: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(time.perf_counter() - sent_at)


def _filling(size: int) -> bytes:
    """JSON like a platform's: names, numbers and addresses, as compressible as theirs."""
    users: list[dict[str, object]] = []
    while True:
        number = int(hashlib.sha256(str(len(users)).encode()).hexdigest()[:8], 16)
        name = f"user-{number:x}"
        users.append(
            {
                "id": number,
                "login": name,
                "url": f"https://api.github.com/users/{name}/starred",
                "site_admin": False,
            }
        )
        text = json.dumps(users).encode()
        if len(text) > size:
            return json.dumps(users[:-1]).encode().ljust(size)


def run_load(port: int, seconds: float, answer: Connection) -> None:
    """A process: one round of load on a port; answers with statuses, latencies and the time it took.

    Straight on epoll, and each connection sends its next delivery as soon as the last one is answered: the client
    shares the machine with what it measures, so it has to be cheap.
    """
    load = _Load()
    ready = select.epoll()
    connections: dict[int, socket.socket] = {}
    sent_at: dict[int, float] = {}
    read: dict[int, bytes] = {}
    now = time.perf_counter
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[connection.fileno()] = connection
        ready.register(connection.fileno(), select.EPOLLIN)
    begun = now()
    for number, connection in connections.items():
        sent_at[number] = now()
        connection.sendall(load.request())
    while (passed := now() - begun) < seconds:
        for number, _ in ready.poll(seconds - passed):
            data = read.pop(number, b"") + connections[number].recv(4096)
            if b"\r\n\r\n" not in data:
                read[number] = data
                continue
            load.answered(data[9:12], sent_at[number])
            sent_at[number] = now()
            connections[number].sendall(load.request())
    answer.send((load.statuses, load.latencies, now() - begun))
    for connection in connections.values():
        connection.close()
