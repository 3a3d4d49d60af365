"""Takes Facebook's word that a person removed the app, or wants everything deleted that came from there.

Both come as a form with one signed request; the same one again changes nothing more and is answered the same.
https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qs

import sqlalchemy as sa
from aiohttp import web
from sqlmodel import Session, col, select

from connectors.base import Rejected, Secrets
from connectors.facebook import PLATFORM, SignedRequest, read_signed_request
from core import likes
from core.access import grants
from core.database import Database, is_away
from core.events import Revoked
from core.mail.tables import OutboxNote
from core.people import audit, leaving, linking, persons
from core.people.tables import Account, Audit
from core.rules import Rules

log = logging.getLogger("flattr.webhooks")
P = ParamSpec("P")
T = TypeVar("T")

DELETION = f"/webhooks/{PLATFORM}/deletion"
DEAUTHORIZED = f"/webhooks/{PLATFORM}/deauthorized"

_LARGEST = 16_384
_SECONDS = 15.0
_ACTION = "facebook deletion"
_CODE = re.compile(r"[0-9a-f]{20}")


def add_routes(
    app: web.Application,
    *,
    db: Database,
    rules: Rules,
    secrets: Secrets,
    address: str,
    clock: Callable[[], datetime],
) -> None:
    """Serve the two call-backs, and the page that says what became of a deletion.

    ``address`` is the hub's public one, without a slash at its end.
    """
    door = _Door(db, rules, secrets, address.rstrip("/"), clock)
    app.router.add_post(DELETION, door.delete)
    app.router.add_get(DELETION + "/{code}", door.status)
    app.router.add_post(DEAUTHORIZED, door.deauthorize)


class _Door:
    def __init__(
        self, db: Database, rules: Rules, secrets: Secrets, address: str, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._rules = rules
        self._secrets = secrets
        self._address = address
        self._clock = clock

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete, and answer where it can be read that it was done."""
        text, signed = await self._signed(request)
        # The padding of base64 is the sender's whim; what was signed is not.
        code = hashlib.sha256("".join(text.split("=")).encode()).hexdigest()[:20]
        await self._do(self._delete, signed, code)
        return web.json_response({"url": f"{self._address}{DELETION}/{code}", "confirmation_code": code})

    async def deauthorize(self, request: web.Request) -> web.StreamResponse:
        """The access has ended; the account stays, and its owner is asked whether to link it again."""
        _, signed = await self._signed(request)
        await self._do(self._end, signed)
        return web.Response(text="noted\n")

    async def status(self, request: web.Request) -> web.StreamResponse:
        """What became of a request, for whoever has its code."""
        code = request.match_info["code"]
        done_at = await self._do(self._done_at, code) if _CODE.fullmatch(code) else None
        if done_at is None:
            return web.Response(status=404, text="There is no deletion request with this confirmation code.\n")
        return web.Response(
            text=f"Done on {done_at:%d.%m.%Y at %H:%M} UTC: the hub has deleted your Facebook ids, your name there and"
            " its access to them. Of statements that were charged the sums are kept, as the law demands, without"
            " anything that names your Facebook account.\n"
        )

    async def _signed(self, request: web.Request) -> tuple[str, SignedRequest]:
        """The signed request of a form; or an HTTP error."""
        if (request.content_length or 0) > _LARGEST:
            raise web.HTTPRequestEntityTooLarge(max_size=_LARGEST, actual_size=request.content_length or 0)
        body = b""
        try:
            async with asyncio.timeout(_SECONDS):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise web.HTTPRequestEntityTooLarge(max_size=_LARGEST, actual_size=len(body))
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        try:
            values = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=20)
        except ValueError:  # more fields than that
            values = {}
        match values.get("signed_request"):
            case [text]:
                try:
                    return text, read_signed_request(text, self._secrets)
                except Rejected as rejected:
                    log.info("facebook: not believed: %s", rejected)
                    raise web.HTTPUnauthorized(text="not believed\n") from None
        raise web.HTTPBadRequest(text="a form with one signed_request is wanted\n")

    async def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except Exception as error:
            if not is_away(error):
                raise
            raise web.HTTPServiceUnavailable(text="come again later\n", headers={"Retry-After": "10"}) from None

    # On the database's thread

    def _done_at(self, code: str) -> datetime | None:
        with self._db.reading() as tx:
            return _noted(tx, code)

    def _end(self, signed: SignedRequest) -> None:
        with self._db.transaction() as tx:
            account = _concerned(tx, signed)
            if account is not None:
                likes.record(tx, self._rules, Revoked(by=signed.account), self._clock())
                grants.drop(tx, signed.account)

    def _delete(self, signed: SignedRequest, code: str) -> None:
        at = self._clock()
        with self._db.transaction() as tx:
            if _noted(tx, code) is not None:
                return
            account = _concerned(tx, signed)
            deleted = _forget(tx, self._rules, account, at) if account is not None else 0
            audit.note(tx, at, PLATFORM, _ACTION, f"{code}: {deleted} accounts")


def _noted(tx: Session, code: str) -> datetime | None:
    query = select(Audit.at).where(Audit.action == _ACTION, col(Audit.detail).startswith(f"{code}:"))
    return tx.exec(query.order_by(col(Audit.id)).limit(1)).first()


def _concerned(tx: Session, signed: SignedRequest) -> Account | None:
    """The account that the request is about; None if it is not here, or was linked anew after the request."""
    account = persons.account_of(tx, signed.account)
    if account is None:
        return None
    if account.linked_at is not None and account.linked_at.replace(microsecond=0) > signed.issued_at:
        return None
    return account


def _forget(tx: Session, rules: Rules, account: Account, at: datetime) -> int:
    """Unlink a person's ids on Facebook and forget them; who has nothing else here leaves. How many ids.

    Pages stay their owner's, as creators, but our access to them goes. The rows stay for the books, without names.
    """
    mine = [account]
    if account.person_id is not None:
        theirs = persons.accounts_of(tx, account.person_id)
        here = [each for each in theirs if each.platform == PLATFORM]
        mine = [each for each in here if not each.account_id.isdigit()]
        for each in here:
            grants.drop(tx, persons.ref(each))
        if len(mine) == len(theirs):
            leaving.stop(tx, rules, account.person_id, at)
        else:
            for each in mine:
                linking.unlink(tx, each, at)
    grants.drop(tx, persons.ref(account))
    _forget_letters(tx, [str(each) for each in mine])
    for each in mine:
        each.account_id = f"deleted:{each.id}"
    tx.flush()
    return len(mine)


def _forget_letters(tx: Session, names: Sequence[str]) -> None:
    """What was said to these accounts, and where it was sent."""
    for note in tx.exec(
        select(OutboxNote).where(
            sa.or_(
                col(OutboxNote.sent_to).in_(names),
                col(OutboxNote.platform).concat(":").concat(col(OutboxNote.account_id)).in_(names),
            )
        )
    ).all():
        note.text = note.buttons = note.sent_to = note.account_id = None
        if note.state in ("waiting", "sending"):
            note.state, note.error = "failed", "the person had it deleted"
    tx.flush()
