"""Rules of signing in, tried on the platform's fake: refusals, replays, faults, least rights, nothing leaked.

    @pytest.fixture
    async def sign_in() -> AsyncIterator[SignIn]: ...

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    async def test_signing_in(check: LinkingCheck, sign_in: SignIn) -> None:
        await check(sign_in)

Each check wants a fresh `SignIn`: it spoils answers and takes access back. That the state comes back, once and to
the same browser, is the hub's own affair; what a connector must do is pass it on unchanged.
"""

from __future__ import annotations

import io
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from connectors.client import Unanswered
from connectors.kit.signing import CALLBACK, STATE, SignIn, only, overheard
from connectors.kit.subject import broken
from connectors.linking import Grant, NotAdmitted, Withdrawn

__all__ = ["CHECKS", "LinkingCheck", "SignIn"]

_FAULTY = (500, 502, 503, 504, 429)
_SILLY: tuple[tuple[int, bytes], ...] = (
    (200, b""),
    (200, b"<html>maintenance</html>"),
    (200, b"[]"),
    (200, b"null"),
    (200, b"{}"),
    (200, b'{"access_token": null}'),
    (200, b'{"access_token": ""}'),
    (200, b'{"access_token": 7, "token_type": "bearer"}'),
    (200, b'{"access_token": "a\\r\\nX-Odd: 1", "token_type": "bearer"}'),
    (200, b'{"access_token": "a", "token_type": 7}'),
    (200, b'{"access_token": "a", "token_type": "bearer", "expires_in": NaN}'),
    (200, b'{"access_token": "a", "token_type": "bearer", "expires_in": -1}'),
    (200, b'{"access_token": "a", "token_type": "bearer", "expires_in": "soon"}'),
    (200, b'{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}'),
    (200, b'{"error": {"code": 1}}'),
    (200, b"oauth_token=a"),
    (200, b"oauth_token=a%0d%0ab&oauth_token_secret=c"),
    (400, b'{"error": "invalid_request"}'),
    (401, b'{"error": "invalid_client"}'),
    (401, b"oauth_problem=signature_invalid"),
    (403, b"no"),
    (404, b""),
)
"""What must come to NotAdmitted or Unanswered at the exchange."""


Rule = Callable[[SignIn], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LinkingCheck:
    """One rule, applied by awaiting it."""

    name: str
    run: Rule

    async def __call__(self, sign_in: SignIn) -> None:
        """Raise AssertionError if the connector breaks the rule."""
        try:
            await self.run(sign_in)
        except AssertionError as error:
            raise AssertionError(f"broken rule: {self.name}\n{error}") from error

    def __str__(self) -> str:
        return self.name


async def _admitted(sign_in: SignIn) -> None:
    for intent in sign_in.intents:
        departure = await sign_in.depart(intent)
        if urlsplit(departure.url).scheme not in ("https", "http"):
            broken(f"{departure.url!r} is no web address", "send people to the platform's page")
        back = await sign_in.consent(departure.url)
        if back.partition("?")[0] != CALLBACK or dict(parse_qsl(urlsplit(back).query)).get("state") != STATE:
            broken("the state did not come back to the call-back address", "pass both on as they are given")
        found = await sign_in.exchange(back, departure.kept, intent)
        if found.account != sign_in.account:
            broken(f"{found.account} was admitted, not {sign_in.account}", "ask the platform whose the token is")
        mine = {found.account, *found.also}
        for grant in found.grants:
            if grant.account not in mine:
                broken(f"a grant of {grant.account}, which was not proved", "give grants of the admitted accounts")
            if Grant.unpacked(grant.account, grant.packed()) != grant:
                broken("a grant changes by being stored", "keep texts only in Grant.more")


async def _least(sign_in: SignIn) -> None:
    for intent, wanted in sign_in.scopes.items():
        departure = await sign_in.depart(intent)
        query = dict(parse_qsl(urlsplit(departure.url).query))
        asked = {each for each in re.split(r"[ ,]+", query.get("scope", query.get("perms", ""))) if each}
        if asked != set(wanted):
            broken(f"{intent} asks for {sorted(asked)}, not {sorted(wanted)}", "ask for what is needed, nothing else")


async def _pkce(sign_in: SignIn) -> None:
    if not sign_in.pkce:
        return
    one, other = await sign_in.depart(), await sign_in.depart()
    queries = [dict(parse_qsl(urlsplit(each.url).query)) for each in (one, other)]
    if any(query.get("code_challenge_method") != "S256" or not query.get("code_challenge") for query in queries):
        broken("no code_challenge by S256 in the address", "set pkce=True")
    if queries[0]["code_challenge"] == queries[1]["code_challenge"]:
        broken("two sign-ins have the same challenge", "make a verifier for each")
    if any(value and value in one.url for name, value in one.kept.items() if name != "scope"):
        broken("what is kept is in the address", "send the challenge, keep the verifier")
    back = await sign_in.consent(one.url)
    for kept in (other.kept, {}):
        await _refused(sign_in, back, kept, "with another sign-in's verifier, or none")
        back = await sign_in.consent(one.url)


async def _replayed(sign_in: SignIn) -> None:
    departure = await sign_in.depart()
    back = await sign_in.consent(departure.url)
    await sign_in.exchange(back, departure.kept)
    await _refused(sign_in, back, departure.kept, "a second time")


async def _without_code(sign_in: SignIn) -> None:
    departure = await sign_in.depart()
    for query in (
        f"state={STATE}",
        f"state={STATE}&code=",
        f"state={STATE}&oauth_token=&oauth_verifier=",
        f"state={STATE}&code={'x' * 100_000}",
        f"state={STATE}&code=nobodys&oauth_token=nobodys&oauth_verifier=nobodys",
        f"state={STATE}&error=server_error&error_description=x",
        f"state={STATE}&error=",
    ):
        await _refused(sign_in, f"{CALLBACK}?{query}", departure.kept, f"with {query[:60]!r}")


async def _declined(sign_in: SignIn) -> None:
    departure = await sign_in.depart()
    back = await sign_in.decline(departure.url)
    refused = await _refused(sign_in, back, departure.kept, "after a no")
    if not refused.declined:
        broken("somebody's no is taken for a failure", "raise NotAdmitted(..., declined=True)")


async def _spoilt(sign_in: SignIn) -> None:
    for status in _FAULTY:
        departure = await sign_in.depart()
        back = await sign_in.consent(departure.url)
        before = sign_in.asked()
        sign_in.spoil(status, b"down")
        with only(f"an exchange that is answered {status}", Unanswered):
            await sign_in.exchange(back, departure.kept)
        if sign_in.asked() != before + 1:
            broken("a code was sent twice", "codes are usable once: ask with repeatable=False")
    for status, body in _SILLY:
        departure = await sign_in.depart()
        back = await sign_in.consent(departure.url)
        sign_in.spoil(status, body)
        with only(f"an exchange that is answered {status} {body[:60]!r}", Unanswered, NotAdmitted):
            await sign_in.exchange(back, departure.kept)


async def _refreshed(sign_in: SignIn) -> None:
    for grant in (await sign_in.whole()).grants:
        if grant.refresh_token is None:
            continue
        for status in _FAULTY:
            sign_in.spoil(status, b"down")
            with only(f"a refresh that is answered {status}", Unanswered):
                await sign_in.connector.refresh(sign_in.asker, grant)
        for body in (b"", b"<html>", b"[]", b"{}", b'{"access_token": null}'):
            sign_in.spoil(200, body)
            with only(f"a refresh that is answered 200 {body!r}", Unanswered):
                await sign_in.connector.refresh(sign_in.asker, grant)
        sign_in.spoil(401, b'{"error": "invalid_client"}')
        with only("a refresh with a secret of ours that is wrong", Unanswered):
            await sign_in.connector.refresh(sign_in.asker, grant)
        fresh = await sign_in.connector.refresh(sign_in.asker, grant)
        if fresh.account != grant.account or not fresh.refresh_token:
            broken("a refreshed grant lost its account or its refresh token", "keep what the answer does not renew")
        sign_in.withdraw()
        with only("a refresh of access that was withdrawn", Withdrawn):
            await sign_in.connector.refresh(sign_in.asker, fresh)
        with only("a refresh with nothing to refresh by", Withdrawn):
            await sign_in.connector.refresh(sign_in.asker, replace(fresh, refresh_token=None))
        return


async def _revoked(sign_in: SignIn) -> None:
    for grant in (await sign_in.whole()).grants:
        await sign_in.connector.revoke(sign_in.asker, grant)
        await sign_in.connector.revoke(sign_in.asker, grant)  # it may have ended already
        sign_in.withdraw()
        await sign_in.connector.revoke(sign_in.asker, grant)
    for grant in (await sign_in.whole()).grants:
        before = sign_in.asked()
        for _ in range(50):  # the client repeats what may be repeated
            sign_in.spoil(503, b"down")
        try:
            await sign_in.connector.revoke(sign_in.asker, grant)
        except Unanswered:
            return
        if sign_in.asked() > before:
            broken("a platform that was down is taken for one that ended the access", "let Unanswered through")
        return


async def _secret(sign_in: SignIn) -> None:
    needles = {value.decode("latin-1") for values in sign_in.asker.secrets.values() for value in values}
    said = io.StringIO()
    with overheard(said):
        departure = await sign_in.depart()
        back = await sign_in.consent(departure.url)
        query = dict(parse_qsl(urlsplit(back).query))
        needles |= {value for name, value in departure.kept.items() if name != "scope"}
        needles |= {query.get("code", ""), query.get("oauth_verifier", ""), STATE}
        admitted = await sign_in.exchange(back, departure.kept)
        for grant in admitted.grants:
            needles |= {grant.access_token, grant.refresh_token or "", grant.token_secret or ""}
        for status, body in ((500, b"down"), (200, b"<html>"), (401, b'{"error": "invalid_client"}')):
            sign_in.spoil(status, body)
            try:
                await sign_in.exchange(back, departure.kept)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
                said.write("".join(traceback.format_exception(error)))
        # The address is for the browser; every other word of it is for nobody.
        said.write(repr(replace(departure, url="")) + repr(admitted) + repr(admitted.grants) + repr(sign_in.asker))
    for needle in needles:
        if len(needle) > 3 and needle in said.getvalue():
            broken("a secret, token, code or state is in a log, an exception or a repr", "keep it out of all of them")


async def _refused(sign_in: SignIn, back: str, kept: Mapping[str, str], how: str) -> NotAdmitted:
    try:
        await sign_in.exchange(back, kept)
    except NotAdmitted as refused:
        if not str(refused):
            broken(f"an exchange {how} is refused without a word", "say what the person can do")
        return refused
    except Exception as error:  # noqa: BLE001
        broken(f"an exchange {how} raises {type(error).__name__}: {error}", "raise NotAdmitted")
    return broken(f"somebody was admitted {how}", "raise NotAdmitted")


_RULES: Sequence[tuple[str, Rule]] = (
    ("who agreed is admitted, and the state came back", _admitted),
    ("the least rights are asked for", _least),
    ("PKCE, where the platform has it, proves who set out", _pkce),
    ("a code is good once", _replayed),
    ("without a code nobody is admitted", _without_code),
    ("a no is a no", _declined),
    ("a bad answer to the exchange admits nobody, and no code is sent twice", _spoilt),
    ("a refused refresh is an end, a failed one is not", _refreshed),
    ("access is given back, however often", _revoked),
    ("nothing secret is said", _secret),
)
CHECKS = tuple(LinkingCheck(name, rule) for name, rule in _RULES)
