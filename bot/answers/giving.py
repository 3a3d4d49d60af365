"""Answers about what a patron likes: addresses, subscriptions, pauses, ignored creators."""

from __future__ import annotations

from bot.answers import month_view, networks, suggesting
from bot.answers.month_view import View
from bot.hearing import said
from bot.hearing.spelling import is_url
from bot.talk import Reply, Turn, reply
from bot.wording import about, account, count, listed, month, quoted, short, thing
from core import likes, things
from core.events import AccountRef
from core.likes import Recorded
from core.months import worth
from core.people import claims, persons, preferences, subscriptions
from core.people.tables import Account, Person
from core.periods import month_of


def flattr(turn: Turn, said_: said.Flattr) -> Reply:
    """A like by hand."""
    resolved = turn.talk.resolve(said_.url)
    if resolved is None:
        return reply(f"I cannot count {short(said_.url, 200)}: it is not an address of a public page.")
    ref, author = resolved
    person_id = turn.member()
    known = things.find(turn.tx, ref)
    before = month_view.line_of(turn, person_id, known.id) if known and known.id else None
    outcome = likes.record_by_hand(turn.tx, turn.rules, turn.by, ref, author, turn.at)
    name = thing(ref.title or (known.title if known else None), ref.url)
    if outcome is Recorded.not_counted:
        return _why_not(turn, person_id, name, author or _author(turn, known.author_id if known else None))
    found = things.find(turn.tx, ref)
    after = month_view.line_of(turn, person_id, found.id) if found and found.id else None
    if after is None:
        return reply(f"I have noted {name}.")
    line, view = after
    again = before is not None and (before[0].flattr_id, before[0].state) == (line.flattr_id, line.state)
    return _counted(turn, name, ref.url, line, view, again=again)


def _author(turn: Turn, account_id: int | None) -> AccountRef | None:
    row = turn.tx.get(Account, account_id) if account_id else None
    return persons.ref(row) if row else None


def _why_not(turn: Turn, person_id: int, name: str, author: AccountRef | None) -> Reply:
    if preferences.paused(turn.tx, person_id, turn.by.platform):
        return reply(f'{name} does not count: you are paused. "resume" ends that.', buttons=("resume",))
    if author and claims.is_declined(turn.tx, turn.rules, author):
        return reply(f"{name} does not count: its creator wants no money.")
    row = persons.account_of(turn.tx, author) if author else None
    if row is not None and preferences.ignored(turn.tx, person_id, persons.key(row)):
        return reply(f'{name} does not count: you ignore its creator. "unignore {author}" ends that.')
    return reply(f"{name} does not count.")


def _counted(turn: Turn, name: str, url: str, line: worth.Line, view: View, *, again: bool) -> Reply:
    start = "You had that already; a thing counts once a month: " if again else ""
    one = view.counting == 1
    # While a month is in review, an address without a month may mean that month's like of the same thing.
    where = "" if view.month == month_view.current(turn, turn.member()) else f" from {month(view.month)}"
    undo = f'To take it back: "remove {url}{where}".'
    match line.state:
        case "own":
            return reply(f"{start}{name} is your own, so it does not count.")
        case "pending" if not line.creator_account:
            text = f"{start}{name} is noted as pending: I do not know yet who made it. Pending likes cost nothing."
        case "pending":
            until = "can be paid" if line.joined else "join"
            text = (
                f"{start}{name} is noted as pending: {month_view.why_pending([line])}. That costs nothing; if they"
                f" {until} within {turn.rules.pending_days} days, it counts."
            )
        case "counts" if view.budget_micros:
            text = (
                f"{start}{name} counts. {count(view.counting, 'like')} in {month(view.month)},"
                f" {'' if one else 'each '}worth {about(view.each_micros, turn.money)}."
            )
        case "counts":
            text = f"{start}{name} counts, but you have no budget yet, so it is worth nothing."
        case "skipped":
            text = f'{start}{name} is noted, but you skip {month(view.month)}; "unskip" takes that back.'
        case _:
            text = f"{start}{name} is noted, but does not count this month."
    if not view.budget_micros and line.state in ("counts", "pending"):
        begin = suggesting.budget(turn)
        return reply(text, f'Set one with "{begin}": it starts at once.', undo, buttons=(begin,))
    return reply(text, undo)


def creator(turn: Turn, row: Account) -> str:
    """A creator's account by the name that is known of it, if they receive: who merely pays stays a number."""
    return account(turn.talk, row, named=_receiver(turn, row) is not None)


def _target(turn: Turn, target: str) -> Account | AccountRef | str:
    """The creator whom an address or NETWORK:ID names; a sentence if that is nobody."""
    if not is_url(target):
        platform, _, account_id = target.partition(":")
        meant = platform if platform == "web" else networks.named(turn, platform)
        if meant is None:
            return f"I know no network named {short(platform, 40)}; I know {networks.known(turn)}."
        return AccountRef(platform=meant, account_id=account_id[:200])
    resolved = turn.talk.resolve(target)
    if resolved is None:
        return f"{short(target, 200)} is not an address of a public page."
    ref, author = resolved
    if author is None and (known := things.find(turn.tx, ref)) is not None:
        author = _author(turn, known.author_id)
    if author is None:
        return "I cannot tell who made that. Name them by network and number, like github:21031067."
    return author


def _row(turn: Turn, target: str) -> tuple[Account | None, str]:
    """The creator's account row if there is one, and what is wrong otherwise."""
    found = _target(turn, target)
    if isinstance(found, str):
        return None, found
    row = found if isinstance(found, Account) else persons.account_of(turn.tx, found)
    return row, ""


def _made_row(turn: Turn, target: str) -> Account | str:
    """The creator's account row, made if need be; a sentence if there is no such creator, or it is oneself."""
    found = _target(turn, target)
    if isinstance(found, str):
        return found
    row = found if isinstance(found, Account) else persons.ensure_account(turn.tx, found)
    owner = persons.person_of(turn.tx, persons.ref(row))
    if persons.ref(row) == turn.by or (owner is not None and owner.id == turn.person_id):
        return "That is you."
    return row


def subscribe(turn: Turn, wish: said.Subscribe) -> Reply:
    """A share on the first of every month."""
    row = _made_row(turn, wish.target)
    if isinstance(row, str):
        return reply(row)
    if claims.is_declined(turn.tx, turn.rules, persons.ref(row)):
        return reply(f"{creator(turn, row)} wants no money.")
    until = wish.until.next(turn.at) if wish.until else None
    try:
        with turn.tx.begin_nested():
            person_id = turn.member()
            made = subscriptions.subscribe(
                turn.tx, person_id=person_id, account_id=persons.key(row), at=turn.at, last_month=until
            )
    except ValueError:
        return reply("The first share is next month's, so the last one can be next month's or later.")
    end = f" until {month(made.last_month)}, that month included" if made.last_month else ", until you end it"
    return reply(
        f"You are subscribed to {creator(turn, row)}: one share on the first of every month, from"
        f" {month(made.first_month)} on{end}.",
        _not_here(turn, row),
        f'"unsubscribe {row}" ends it; "subscriptions" lists them.',
    )


def _not_here(turn: Turn, row: Account) -> str:
    receiver = _receiver(turn, row)
    if receiver is None:
        return "They have not joined yet, so until they do these shares are pending and cost nothing."
    if receiver.payable_since is None:
        return "They have joined, but cannot be paid yet; until they can, these shares are pending and cost nothing."
    return ""


def _receiver(turn: Turn, row: Account) -> Person | None:
    person = persons.person_of(turn.tx, persons.ref(row))
    return person if person is not None and person.receives_since is not None else None


def unsubscribe(turn: Turn, wish: said.Unsubscribe) -> Reply:
    """Ends a subscription."""
    row, wrong = _row(turn, wish.target)
    person_id = turn.person_id
    if wrong:
        return reply(wrong)
    if (
        row is None
        or person_id is None
        or not subscriptions.unsubscribe(turn.tx, person_id=person_id, account_id=persons.key(row), at=turn.at)
    ):
        return reply('You are not subscribed to them. "subscriptions" shows to whom you are.')
    return reply(
        f"Your subscription to {creator(turn, row)} has ended.",
        'A share that this month already has stays, unless you "remove" it from the "list".',
    )


def show_subscriptions(turn: Turn) -> Reply:
    """All of them."""
    person_id = turn.person_id
    found = subscriptions.subscriptions_of(turn.tx, person_id) if person_id else []
    if not found:
        return reply('You have no subscriptions. "help subscribe" says how to begin one.')
    lines = [
        f"{creator(turn, each.account)} ({each.account}), from {month(each.first_month)}"
        + (f" to {month(each.last_month)}" if each.last_month else "")
        for each in found
    ]
    return reply("One share each on the first of every month:", *lines, 'To end one: "unsubscribe NETWORK:ID".')


def pausing(turn: Turn, wish: said.Pause | said.Resume) -> Reply:
    """Pauses and resumes, everywhere or on one network."""
    platform = ""
    if wish.network is not None:
        meant = networks.named(turn, wish.network)
        if meant is None:
            return reply(f"I know no network named {short(wish.network, 40)}; I know {networks.known(turn)}.")
        platform = meant
    where = f" on {turn.talk.title(platform)}" if platform else ""
    if isinstance(wish, said.Pause):
        preferences.pause(turn.tx, turn.member(), platform, at=turn.at)
        again = f"resume {platform}".strip()
        return reply(f'Paused: new likes{where} do not count until you say "{again}".', buttons=(again,))
    person_id = turn.person_id
    if person_id is None or not preferences.resume(turn.tx, person_id, platform):
        if person_id is not None and preferences.paused(turn.tx, person_id):
            return reply('You are paused everywhere. "resume" ends that.', buttons=("resume",))
        return reply(networks.likeless(turn, platform) or f"You are not paused{where}; your likes count.")
    if platform and preferences.paused(turn.tx, person_id):
        return reply(
            f'{turn.talk.title(platform)} is no longer paused by itself, but you are paused everywhere. "resume"'
            " ends that.",
            buttons=("resume",),
        )
    if off := networks.likeless(turn, platform):
        return reply(f"No longer paused{where}.", off)
    return reply(f"New likes{where} count again from now on.")


def ignoring(turn: Turn, wish: said.Ignore | said.Unignore) -> Reply:
    """Ignores a creator, or no longer."""
    if isinstance(wish, said.Ignore):
        row = _made_row(turn, wish.target)
        if isinstance(row, str):
            return reply(row)
        preferences.ignore(turn.tx, turn.member(), persons.key(row), turn.at)
        return reply(
            f"From now on {creator(turn, row)} gets nothing from you, whatever you like.",
            f'"unignore {row}" takes it back.',
        )
    found, wrong = _row(turn, wish.target)
    person_id = turn.person_id
    if wrong:
        return reply(wrong)
    left_out = _ignored_lines(turn, person_id) if person_id else {}
    if found is None or person_id is None or not preferences.unignore(turn.tx, person_id, persons.key(found)):
        return reply('You do not ignore them. "ignore" shows whom you do.')
    back = left_out.keys() - _ignored_lines(turn, person_id).keys()
    months = listed(month(number) for number in sorted({left_out[each] for each in back}))
    old = f"; {count(len(back), 'older like')} of {months} {'is' if len(back) == 1 else 'are'} no longer left out"
    return reply(
        f"{creator(turn, found)} can get shares from you again: new likes count{old if back else ''}.",
        "What you liked while you ignored them does not.",
    )


def _ignored_lines(turn: Turn, person_id: int) -> dict[int, int]:
    """The likes that are left out because their creators are ignored, with their month, if it is not closed."""
    views = [month_view.of(turn, person_id, each) for each in {month_view.current(turn, person_id), month_of(turn.at)}]
    return {line.flattr_id: view.month for view in views for line in view.lines if line.state == "ignored"}


def show_ignored(turn: Turn) -> Reply:
    """Whom the person ignores."""
    person_id = turn.person_id
    found = preferences.ignored_accounts(turn.tx, person_id) if person_id else []
    if not found:
        return reply(f"You ignore nobody. To ignore a creator: {quoted(('ignore github:21031067',))}.")
    return reply(
        "You ignore:",
        *(f"{creator(turn, row)} ({row})" for row in found),
        'To take one back: "unignore NETWORK:ID".',
    )
