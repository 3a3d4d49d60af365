"""A correct connector of a platform that does not exist, and all the ways in which one can be broken."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors import addresses
from connectors.base import Answer, Card, Delivery, Light, Rejected, Secret, Secrets, Unreadable, read_json
from core.events import AccountRef, Event, Liked, Messaged, ThingRef, Unliked

CARD = Card(
    platform="toy",
    title="Toy",
    route="webhook",
    abilities=frozenset({"likes", "unlikes", "messages"}),
    what_counts="A heart on a post.",
    creator="Who posted it.",
    secrets=(Secret(name="key", how="Toy's settings, page Hooks."),),
    hosts=("api.toy.example",),
    retries="Every hour for a day.",
    ids_signed=True,
    knows_like_time=True,
    has_order=True,
    setup=("Toy's settings, page Hooks: enter {address}.",),
    lights=(
        Light(
            action="likes",
            colour="green",
            clause="Says nothing about money that follows hearts.",
            url="https://toy.example/terms",
            read_on=date(2026, 11, 22),
        ),
    ),
    documentation="https://toy.example/hooks",
)


class Toy:
    """Keeps the contract. Its parts are methods, so that each can be broken by itself."""

    card = CARD
    signature_header = "x-toy-signature"

    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        if delivery.method != "GET":
            return None
        token, question = delivery.query.get("token", "").encode(), delivery.query.get("question", "")
        if not any(secret and hmac.compare_digest(secret, token) for secret in secrets.get("key", ())):
            raise Rejected("the token is not ours")
        return self.echo(question)

    def echo(self, question: str) -> Answer:
        return Answer(200, question.encode())

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        sent = self.sent(delivery)
        fits = [self.equal(self.expected(delivery, secret), sent) for secret in self.valid(secrets)]
        if not any(fits):
            raise Rejected("the signature does not fit")
        return self.key(delivery)

    def sent(self, delivery: Delivery) -> str:
        sent = delivery.header(self.signature_header)
        if not re.fullmatch("v1=[0-9a-f]{64}", sent):
            raise Rejected("the signature is malformed")
        return sent

    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        return [secret for secret in secrets.get("key", ()) if secret]

    def expected(self, delivery: Delivery, secret: bytes) -> str:
        return f"v1={hmac.new(secret, self.signed(delivery.body), hashlib.sha256).hexdigest()}"

    def signed(self, body: bytes) -> bytes:
        return body

    def equal(self, expected: str, sent: str) -> bool:
        return hmac.compare_digest(expected, sent)

    def key(self, delivery: Delivery) -> str:
        return hashlib.sha256(delivery.body).hexdigest()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        data = self.read(delivery.body)
        match self.kind(data, delivery):
            case "heart":
                return (self.liked(data, delivery),)
            case "unheart":
                return (self.unliked(data),)
            case "letter":
                by = self.account(data.get("actor"))
                return (Messaged(by=by, text=self.text(data.get("text")), message_id=self.id(data), at=self.at(data)),)
        return ()

    def read(self, body: bytes) -> dict[str, Any]:
        return read_json(body)

    def kind(self, data: dict[str, Any], delivery: Delivery) -> Any:
        return data.get("act")

    def liked(self, data: dict[str, Any], delivery: Delivery) -> Liked:
        return Liked(
            by=self.account(data.get("actor")),
            thing=self.thing(data.get("post")),
            author=self.account(data.get("author")),
            at=self.at(data),
            order=self.order(data),
        )

    def unliked(self, data: dict[str, Any]) -> Unliked:
        return Unliked(
            by=self.account(data.get("actor")),
            thing=self.thing(data.get("post")),
            at=self.at(data),
            order=self.order(data),
        )

    def account(self, data: Any) -> AccountRef:
        if not isinstance(data, dict):
            raise Unreadable("no account")
        return AccountRef(platform="toy", account_id=self.id(data), handle=self.text(data.get("name")))

    def thing(self, data: Any) -> ThingRef:
        if not isinstance(data, dict):
            raise Unreadable("no post")
        title = None if data.get("title") is None else self.text(data["title"])
        return ThingRef(platform="toy", native_id=self.id(data), url=self.url(data.get("url")), title=title)

    def url(self, value: Any) -> str:
        page = addresses.canonical(value) if isinstance(value, str) else None
        if page is None or not page.startswith("https://toy.example/"):
            raise Unreadable("no address")
        return page

    def text(self, value: Any) -> str:
        if not isinstance(value, str) or not value or re.search("[\x00\ud800-\udfff]", value):
            raise Unreadable("no text")
        return value

    def id(self, data: dict[str, Any]) -> str:
        match data.get("id"):
            case int(number) if not isinstance(number, bool) and 0 < number < 2**63:
                return str(number)
        raise Unreadable("no id")

    def at(self, data: dict[str, Any]) -> datetime:
        match data.get("at"):
            case int(seconds) if not isinstance(seconds, bool) and 0 <= seconds < 2**40:
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(seconds, 2**37))
        raise Unreadable("no time")

    def order(self, data: dict[str, Any]) -> int | None:
        match data.get("seq"):
            case int(number) if not isinstance(number, bool) and abs(number) < 2**63:
                return number
        raise Unreadable("no order")


def sign(delivery: Delivery, secrets: Secrets) -> Delivery:
    """As Toy signs: not by the code under test."""
    code = hmac.digest(secrets["key"][0], delivery.body, "sha256").hex()
    return replace(delivery, headers={**delivery.headers, "x-toy-signature": (f"v1={code}",)})


class AcceptsAnything(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        return self.key(delivery)


class ComparesTheBeginning(Toy):
    def equal(self, expected: str, sent: str) -> bool:
        return hmac.compare_digest(expected[:20], sent[:20])


class IgnoresCase(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        spellings = (delivery.body, delivery.body.replace(b"HEART", b"heart"))
        for body in (*spellings, re.sub(rb'"[a-zA-Z]{3}":', lambda found: found[0].lower(), delivery.body)):
            try:
                return super().verify(replace(delivery, body=body), secrets)
            except Rejected:
                continue
        raise Rejected("no spelling fits")


class IgnoresWhiteSpace(Toy):
    def signed(self, body: bytes) -> bytes:
        return body.strip()


class SignsTheMeaning(Toy):
    def signed(self, body: bytes) -> bytes:
        try:
            return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
        except (ValueError, RecursionError):
            return body


class ForgivesShortSignatures(Toy):
    def sent(self, delivery: Delivery) -> str:
        return delivery.header(self.signature_header)

    def equal(self, expected: str, sent: str) -> bool:
        return sent.isascii() and len(sent) > 8 and hmac.compare_digest(expected[: len(sent)], sent)


class DecodesTheSignature(Toy):
    def sent(self, delivery: Delivery) -> str:
        return delivery.header(self.signature_header)

    def equal(self, expected: str, sent: str) -> bool:
        try:
            # fromhex() passes over white space.
            return hmac.compare_digest(bytes.fromhex(expected[3:]), bytes.fromhex(sent[3:]))
        except ValueError:
            return False


class KnowsOneSecret(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        return [secret for secret in secrets.get("key", ()) if secret][:1]


class KnowsTheLastSecret(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        return [secret for secret in secrets.get("key", ()) if secret][-1:]


class TakesEmptySecrets(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        return secrets.get("key", ())


class IsOffWithoutSecret(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        return super().verify(delivery, secrets) if secrets.get("key") else self.key(delivery)


class NeedsItsSecret(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        return [secret for secret in secrets["key"] if secret]


class RemembersSecrets(Toy):
    def __init__(self) -> None:
        self.known: list[bytes] = []

    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        self.known = list(dict.fromkeys([*self.known, *super().valid(secrets)]))
        return self.known


class TrustsTheDeliveryId(Toy):
    def key(self, delivery: Delivery) -> str:
        return delivery.headers.get("x-toy-delivery", ("none",))[0] or "none"


class TrustsTheEventName(Toy):
    def kind(self, data: dict[str, Any], delivery: Delivery) -> Any:
        return delivery.headers.get("x-toy-event", ("none",))[0]


class TrustsTheQuery(Toy):
    def translate(self, delivery: Delivery) -> Sequence[Event]:
        return () if "x" in delivery.query else super().translate(delivery)


class KeysByReceipt(Toy):
    def key(self, delivery: Delivery) -> str:
        return f"{delivery.received_at:%Y%m%d%H%M%S}{super().key(delivery)}"


class KeysBySignature(Toy):
    def key(self, delivery: Delivery) -> str:
        return self.sent(delivery)


class HasOneKey(Toy):
    def key(self, delivery: Delivery) -> str:
        return "toy"


class KeysAtRandom(Toy):
    def key(self, delivery: Delivery) -> str:
        return uuid.uuid4().hex


class KeysWithNothing(Toy):
    def key(self, delivery: Delivery) -> str:
        return ""


class ComparesPlainly(Toy):
    def equal(self, expected: str, sent: str) -> bool:
        return expected == sent


class ComparesCodesPlainly(Toy):
    def equal(self, expected: str, sent: str) -> bool:
        return sent.split("=")[1].encode() == expected.split("=")[1].encode()


class NeedsItsHeader(Toy):
    def sent(self, delivery: Delivery) -> str:
        (sent,) = delivery.headers[self.signature_header]
        if not re.fullmatch("v1=[0-9a-f]{64}", sent):
            raise Rejected("the signature is malformed")
        return sent


class TakesTheFirstOfTwo(Toy):
    def sent(self, delivery: Delivery) -> str:
        return super().sent(
            replace(delivery, headers={self.signature_header: delivery.headers.get(self.signature_header, ("",))[:1]})
        )


class FearsForeignLetters(Toy):
    def sent(self, delivery: Delivery) -> str:
        return delivery.header(self.signature_header)


class ReadsBeforeVerifying(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        json.loads(delivery.body)
        return super().verify(delivery, secrets)


class ChallengesByAnyHeader(Toy):
    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        delivery.headers["x-toy-event"][0].encode("ascii")
        return super().challenge(delivery, secrets)


class RecursesTooDeep(Toy):
    def read(self, body: bytes) -> dict[str, Any]:
        try:
            data: dict[str, Any] = json.loads(body)
        except ValueError:
            raise Unreadable("not JSON") from None
        return data if isinstance(data, dict) else {}


class NeedsEveryField(Toy):
    def account(self, data: Any) -> AccountRef:
        return AccountRef(platform="toy", account_id=str(data["id"]), handle=data["name"])


class OverflowsTimes(Toy):
    def at(self, data: dict[str, Any]) -> datetime:
        try:
            return datetime.fromtimestamp(data["at"], UTC)
        except (KeyError, TypeError, ValueError):
            raise Unreadable("no time") from None


class KeepsAnyText(Toy):
    def text(self, value: Any) -> str:
        return str(value)


class KeepsAnyAddress(Toy):
    def url(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Unreadable("no address")
        return value


class KeepsAnyOrder(Toy):
    def order(self, data: dict[str, Any]) -> int | None:
        if not isinstance(data.get("seq"), int):
            raise Unreadable("no order")
        return data["seq"]


class LooksAtTheClock(Toy):
    def translate(self, delivery: Delivery) -> Sequence[Event]:
        events = super().translate(delivery)
        return events if datetime.now(UTC).year > 2000 else ()


class JudgesStaleness(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        if abs(time.time() - delivery.received_at.timestamp()) > 10**9:
            raise Rejected("stale")
        return super().verify(delivery, secrets)


class ReadsAFile(Toy):
    def translate(self, delivery: Delivery) -> Sequence[Event]:
        Path(__file__).read_bytes()
        return super().translate(delivery)


class AsksTheNetwork(Toy):
    def translate(self, delivery: Delivery) -> Sequence[Event]:
        try:
            socket.socket().close()
        except Exception:  # noqa: BLE001 - that it hides the failure is what is broken
            return ()
        return super().translate(delivery)


class ForgetsRepetitions(Toy):
    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        events = () if delivery.body in self.seen else super().translate(delivery)
        self.seen.add(delivery.body)
        return events


class RemembersWhatItVerified(Toy):
    last: Delivery | None = None

    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        key = super().verify(delivery, secrets)
        self.last = delivery
        return key

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        return super().translate(self.last or delivery)


class DatesByReceipt(Toy):
    def liked(self, data: dict[str, Any], delivery: Delivery) -> Liked:
        return replace(super().liked(data, delivery), at=delivery.received_at)


class EmptiesTheQuery(Toy):
    def translate(self, delivery: Delivery) -> Sequence[Event]:
        delivery.query.pop("hook", None)  # type: ignore[attr-defined]
        return super().translate(delivery)


class TakesNamesForIds(Toy):
    def account(self, data: Any) -> AccountRef:
        ref = super().account(data)
        return replace(ref, account_id=ref.handle or "")


class MixesNamesIntoIds(Toy):
    def account(self, data: Any) -> AccountRef:
        ref = super().account(data)
        return replace(ref, account_id=f"{ref.account_id}-{ref.handle}")


class TakesAddressesForIds(Toy):
    def thing(self, data: Any) -> ThingRef:
        ref = super().thing(data)
        return replace(ref, native_id=ref.url)


class UnlikesAnotherReaction(Toy):
    def unliked(self, data: dict[str, Any]) -> Unliked:
        return replace(super().unliked(data), reaction="heart")


class UnlikesByAnotherId(Toy):
    def unliked(self, data: dict[str, Any]) -> Unliked:
        return replace(super().unliked(data), thing=None, like_id=str(data["seq"]))


class UnlikesNothing(Toy):
    def unliked(self, data: dict[str, Any]) -> Unliked:
        return replace(super().unliked(data), thing=None)


class OrdersBySecond(Toy):
    def order(self, data: dict[str, Any]) -> int | None:
        return int(self.at(data).timestamp()) // 3600


class ForgetsTheOrder(Toy):
    def order(self, data: dict[str, Any]) -> int | None:
        return None


class LogsSecrets(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        logging.getLogger("toy").debug("trying %s", secrets)
        return super().valid(secrets)


class PrintsSecrets(Toy):
    def valid(self, secrets: Secrets) -> Sequence[bytes]:
        print([secret.hex() for secret in secrets.get("key", ())])
        return super().valid(secrets)


class TellsTheSignature(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        try:
            return super().verify(delivery, secrets)
        except Rejected as error:
            wanted = [self.expected(delivery, secret) for secret in self.valid(secrets)]
            raise Rejected(f"{error}: expected {wanted}") from None


class CausesWithTheSecret(Toy):
    def verify(self, delivery: Delivery, secrets: Secrets) -> str:
        try:
            return super().verify(delivery, secrets)
        except Rejected as error:
            raise Rejected("no") from ValueError(error, secrets)


class YieldsEvents(Toy):
    def translate(self, delivery: Delivery) -> Any:
        return (event for event in super().translate(delivery))


class GivesDictionaries(Toy):
    def translate(self, delivery: Delivery) -> Any:
        return [{"liked": True}]


class GivesLocalTimes(Toy):
    def at(self, data: dict[str, Any]) -> datetime:
        return super().at(data).replace(tzinfo=None)


class SpeaksForOthers(Toy):
    def account(self, data: Any) -> AccountRef:
        return replace(super().account(data), platform="github")


class GivesNumbersForIds(Toy):
    def account(self, data: Any) -> AccountRef:
        return replace(super().account(data), account_id=data["id"] if isinstance(data, dict) else 0)


class RaisesOnGenuine(Toy):
    def kind(self, data: dict[str, Any], delivery: Delivery) -> Any:
        raise RuntimeError("a bug")


class LosesUnlikes(Toy):
    def kind(self, data: dict[str, Any], delivery: Delivery) -> Any:
        return None if data.get("act") == "unheart" else data.get("act")


class EchoesPages(Toy):
    def echo(self, question: str) -> Answer:
        return Answer(200, question.encode(), content_type="text/html")


class AnswersAnybody(Toy):
    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        return self.echo(delivery.query.get("question", "")) if delivery.method == "GET" else None


class AnswersDeliveries(Toy):
    def challenge(self, delivery: Delivery, secrets: Secrets) -> Answer | None:
        return Answer(200, b"yes")


class ClaimsSignedIds(AcceptsAnything):
    """Its card says that ids are signed, and nothing is."""


def with_card(**claims: Any) -> type[Toy]:
    """Toy with another card."""
    return type("Toy", (Toy,), {"card": replace(CARD, **claims)})
