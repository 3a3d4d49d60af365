"""Answers about who is who: linking by code, the yes or no to it, the list of accounts, unlinking."""

from __future__ import annotations

from bot.answers import health, networks, suggesting
from bot.hearing import said
from bot.talk import PlatformFacts, Reply, Talk, Turn, reply
from bot.wording import account, count, listed, moment, month, short
from core.access import visits
from core.access.visits import VisitRefused
from core.money import show
from core.people import linking, persons
from core.people.linking import LinkRefused, Offer
from core.people.merging import MergePreview
from core.people.tables import Account


def link(turn: Turn, wish: said.Link) -> Reply:
    """A code for the other account, or how an account on a network without messages is linked."""
    if wish.network is None:
        return _code(turn, _elsewhere(turn), *_by_signing_in(turn))
    meant = networks.named(turn, wish.network)
    if meant is None:
        known = networks.known(turn)
        return reply(
            f"I know no network named {short(wish.network, 40)}; I know {known}. A code has ten letters, like"
            ' BCDFG-HJKLM; "link" alone gives you one.'
        )
    facts = turn.talk.platforms[meant]
    if wish.page:
        return _page(turn, meant, facts)
    if facts.linking:
        return _sign_in(turn, meant, facts)
    if facts.speaks:
        if meant == turn.by.platform:
            return _code(turn, f"your other account on {facts.title}, or on any network where I am")
        return _code(turn, facts.title)
    return reply(
        f"{facts.title} has no messages that I could read, and signing in there is not possible on this hub yet.",
        f"Today its operator can link your {facts.title} account by hand: send them its number there, and"
        f" {turn.by} as your account here.",
    )


def _sign_in(turn: Turn, platform: str, facts: PlatformFacts) -> Reply:
    """A personal address; where people can write to the bot too, a code besides, for who would rather do that."""
    address = _address(turn, platform, "link")
    if isinstance(address, Reply):
        return address
    lines = [
        f"An account on {facts.title} is linked by signing in there:",
        address,
        _LIFE,
        networks.likeless(turn, platform),
    ]
    if facts.speaks and platform != turn.by.platform:
        issued = linking.issue_code(turn.tx, persons.ensure_account(turn.tx, turn.by), turn.at)
        lines.append(f"Or send me this code from {facts.title}, and answer yes here: {issued.code}")
    return reply(*lines)


def _page(turn: Turn, platform: str, facts: PlatformFacts) -> Reply:
    """A personal address for what somebody makes there, where that takes a sign-in of its own."""
    if not facts.pages:
        ways = f'"link {platform}" is all that is needed' if facts.linking or facts.speaks else "nothing is needed"
        return reply(f'To receive for what you make on {facts.title}, {ways}; then "claim".')
    address = _address(turn, platform, "receive")
    if isinstance(address, Reply):
        return address
    return reply(f"Sign in at {facts.title} to show which pages there are yours:", address, _LIFE)


_LIFE = "The address is yours alone, and good for ten minutes. Give it to nobody else."


def _address(turn: Turn, platform: str, intent: str) -> str | Reply:
    """The personal address, or why there is none."""
    turn.member()
    try:
        token = visits.begin(turn.tx, by=turn.by, platform=platform, intent=intent, at=turn.at)
    except VisitRefused as refused:
        return reply(str(refused))
    return f"{turn.talk.address}/link/{token}"


def _elsewhere(turn: Turn) -> str:
    others = [facts.title for name, facts in turn.talk.platforms.items() if facts.speaks and name != turn.by.platform]
    return listed(sorted(others)).replace(" and ", " or ") or "another network"


def _by_signing_in(turn: Turn) -> list[str]:
    """Where no code can be sent from, with what to say instead."""
    named = {name: facts for name, facts in turn.talk.platforms.items() if facts.linking and not facts.speaks}
    if not named:
        return []
    titles = listed(sorted(facts.title for facts in named.values())).replace(" and ", " or ")
    return [f'An account on {titles} is linked by signing in: say "link {min(named)}", for example.']


def _code(turn: Turn, where: str, *more: str) -> Reply:
    turn.member()
    issued = linking.issue_code(turn.tx, persons.ensure_account(turn.tx, turn.by), turn.at)
    return reply(
        f"Your code: {issued.code}",
        f"Send it to me from {where}, before {moment(issued.expires_at)}. Then I ask you here; only your yes links.",
        "Give it to nobody else.",
        *more,
    )


def code(turn: Turn, wish: said.Code) -> Reply:
    """A code that came from the other account: now its issuer is asked."""
    try:
        offer = linking.offer_code(turn.tx, turn.by, wish.code, turn.at)
    except LinkRefused as refused:
        return reply(str(refused))
    return reply(
        f"Right. Now answer yes on {turn.talk.title(offer.issuer.platform)}, where you got the code: I have asked you"
        " there. Until then nothing is linked."
    )


def asked(talk: Talk, offer: Offer) -> Reply:
    """The question to the issuer of a code."""
    how = "At the address it got from me somebody signed in as you." if offer.signed_in else "It sent me your code."
    lines = [f"Link {account(talk, offer.by)} ({offer.by}) to you here? {how}"]
    if offer.merge is not None:
        lines += merge_lines(talk, offer.merge)
    lines.append("Say yes only if that account is yours.")
    return reply(*lines, buttons=("yes", "no"))


def merge_lines(talk: Talk, merge: MergePreview) -> list[str]:
    """What merging two persons changes, before it happens."""
    money = talk.rules.money
    lines = ["Both accounts are known here, so two become one:"]
    if merge.ended_budget_micros:
        lines.append(
            f"- one budget is left, {show(merge.budget_micros, money)} a month; the other,"
            f" {show(merge.ended_budget_micros, money)}, ends."
        )
    elif merge.budget_micros:
        lines.append(f"- the budget is {show(merge.budget_micros, money)} a month.")
    if merge.card:
        lines.append(f"- the {short(merge.card, 40)} card pays.")
    if merge.flattrs:
        double = f"; {merge.doubles} of them you both have, counted once" if merge.doubles else ""
        lines.append(
            f"- {count(merge.flattrs, 'like')} of this month {'come' if merge.flattrs > 1 else 'comes'} over{double}."
        )
    if merge.subscriptions:
        come = "comes" if merge.subscriptions == 1 else "come"
        lines.append(f"- {count(merge.subscriptions, 'subscription')} {come} over.")
    if merge.months_under_way:
        names = listed(month(each) for each in merge.months_under_way)
        lines.append(f"- {names} is still settled as before, with its own budget.")
    if merge.receives:
        lines.append("- payouts wait a few days, in case this was not you.")
    lines.append("This cannot be undone by a command.")
    return lines


def answer(turn: Turn, wish: said.Yes | said.No) -> Reply:
    """Yes or no to the open link offer."""
    row = persons.account_of(turn.tx, turn.by)
    offer = linking.open_offer(turn.tx, row, turn.at) if row is not None else None
    if row is None or offer is None:
        return reply(
            "I have asked you nothing just now.",
            'To confirm something else, say it in full: "stop yes" or "decline yes".'
            if isinstance(wish, said.Yes)
            else "",
        )
    name = account(turn.talk, offer.by)
    if isinstance(wish, said.No):
        linking.refuse(turn.tx, row, turn.at)
        worthless = "" if offer.signed_in else ", and the code is worthless now"
        return reply(f"Good, {name} is not linked{worthless}.")
    try:
        done = linking.confirm(turn.tx, turn.rules, row, turn.at)
    except (LinkRefused, LookupError) as refused:
        return reply(str(refused))
    verb = "counts" if done.moved == 1 else "count"
    joined = f" {count(done.moved, 'older like')} for your things now {verb}." if done.moved else ""
    merged = f" What both had is one now{_one_budget(turn, done.merge)}." if done.merge is not None else ""
    off = networks.likeless(turn, offer.by.platform)
    counting = f". {off}" if off else ", and its likes count from now on."
    return reply(
        f"Linked: {name} is yours here{counting}{merged}{joined}",
        '"accounts" lists them, "unlink" takes one away.',
        buttons=("accounts", "status"),
    )


def _one_budget(turn: Turn, merge: MergePreview) -> str:
    if not merge.ended_budget_micros:
        return f"; your budget is {show(merge.budget_micros, turn.money)} a month" if merge.budget_micros else ""
    ended = f"the other budget, {show(merge.ended_budget_micros, turn.money)}, has ended"
    return f"; your one budget is {show(merge.budget_micros, turn.money)} a month, and {ended}"


def accounts(turn: Turn) -> Reply:
    """The accounts that are one person."""
    person_id = turn.person_id
    if person_id is None:
        return reply("I know nothing of you yet.", f'"link" begins, or "{suggesting.budget(turn)}".', buttons=("help",))
    lines = []
    for row in persons.accounts_of(turn.tx, person_id):
        marks = [str(row)]
        if persons.ref(row) == turn.by:
            marks.append("here")
        if row.needs_relink_at is not None:
            marks.append(f'its access has ended; "link {row.platform}" renews it')
        lines.append(f"{account(turn.talk, row)} ({', '.join(marks)})")
        off = networks.likeless(turn, row.platform)
        lines += [off] if off else health.of(turn, row)
    return reply("You are:", *lines, '"link" adds another one.')


def unlink(turn: Turn, wish: said.Unlink) -> Reply:
    """Takes one of the accounts away."""
    person_id = turn.person_id
    mine = persons.accounts_of(turn.tx, person_id) if person_id else []
    platform, _, account_id = wish.which.partition(":")
    meant = networks.named(turn, platform)
    found = [row for row in mine if row.platform == meant and account_id in ("", row.account_id)]
    if not found:
        found = [row for row in mine if row.handle and row.handle.casefold() == wish.which.casefold().lstrip("@")]
    if not found:
        return reply(f"No account of yours is called {short(wish.which, 60)}.", *_mine(turn, mine))
    if len(found) > 1:
        choices = tuple(f"unlink {row}" for row in found)
        return reply("Which one?", *_mine(turn, found), buttons=choices)
    name = account(turn.talk, found[0])
    try:
        linking.unlink(turn.tx, found[0], turn.at)
    except LinkRefused as refused:
        return reply(str(refused))
    return reply(f"{name} is no longer linked to you. What it liked stays; what it likes from now on does not count.")


def _mine(turn: Turn, rows: list[Account]) -> list[str]:
    return [f"{account(turn.talk, row)}: unlink {row}" for row in rows]
