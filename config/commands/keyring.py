"""Subcommands that change the hub's own keys: new, rotate, reseal."""

from __future__ import annotations

import click

from config import keys as key_file
from config.commands import show
from config.commands.desk import Desk
from config.complaints import Impossible
from config.keys import WHAT_A_LOSS_MEANS
from config.parts import Parts
from core import likes
from core.access import grants
from core.events import Revoked
from core.likes import Recorded
from core.mail.sealing import Seal


@click.group(
    short_help="The hub's own keys: new, rotate, reseal.",
)
def keys() -> None:
    """The hub's own keys (keys.json in the data directory)."""


@keys.command()
@click.confirmation_option(prompt=f"New keys: {WHAT_A_LOSS_MEANS}. Go on?")
@click.pass_obj
def new(desk: Desk) -> None:
    """Make new keys after the old ones were lost for good."""
    path = key_file.path_in(desk.settings.hub.data_dir)
    if path.exists():
        raise Impossible(f"{path} is there; new keys are for when it is lost (`flattr keys rotate` changes one)")
    key_file.write(path, key_file.fresh())
    show.say(f"New keys are in {path}. Put it into your backups.")
    if lost := _ask_to_sign_in_again(desk.parts):
        show.say(f"{lost} accounts have to be linked again; their owners are told when the hub runs.")


@keys.command()
@click.pass_obj
def rotate(desk: Desk) -> None:
    """Put a new sealing key in front, and seal members' access with it; a running hub goes on.

    Deliveries in the inbox stay under the old keys, which are kept.
    """
    path = key_file.path_in(desk.settings.hub.data_dir)
    if not path.exists():
        raise Impossible(f"there is no {path} yet; the first `flattr run` makes it")
    if desk.settings.keys.sealing:
        raise Impossible(
            "the sealing keys are given by the settings: put a new one in front of keys.sealing, restart the hub,"
            " then run `flattr keys reseal`"
        )
    parts = desk.parts
    with parts.db.exclusively("keys"):  # of two at once the later one would lose the other's key
        rotated = key_file.rotated(key_file.read(path))
        key_file.write(path, rotated)
        show.say(f"{path} has {len(rotated.sealing)} sealing keys now; renew your backup.")
        _reseal(parts, Seal(rotated.sealing))


@keys.command()
@click.pass_obj
def reseal(desk: Desk) -> None:
    """Seal members' access with the newest key: after keys.sealing was changed, or a `rotate` was interrupted."""
    parts = desk.parts
    with parts.db.exclusively("keys"):
        _reseal(parts, parts.seal)


def _reseal(parts: Parts, seal: Seal) -> None:
    with parts.db.reading() as tx:
        rows = grants.sealed_rows(tx)
    changed = unreadable = 0
    done: grants.Resealed | None = None
    with click.progressbar(length=rows, label="sealing members' access anew", hidden=not rows) as progress:
        while done is None or done.after is not None:
            with parts.db.transaction() as tx:
                done = grants.reseal(tx, seal, done.after if done and done.after else (0, 0))
            progress.update(done.seen)
            changed, unreadable = changed + done.changed, unreadable + done.unreadable
    if rows:
        show.say(f"{changed} of {rows} were sealed anew; a running hub takes the new key up when it opens one of them.")
    else:
        show.say("No access is kept; a running hub seals with the new key after its next start.")
    if unreadable:
        show.say(f"{unreadable} open with none of the keys: put the old key back after the new one.")


def _ask_to_sign_in_again(parts: Parts) -> int:
    """Pause the accounts whose access nobody can open any more, and forget it."""
    at = parts.clock()
    with parts.db.transaction() as tx:
        lost = grants.unreadable(tx, parts.seal)
        for kept in lost:
            if likes.record(tx, parts.rules, Revoked(by=kept.account), at) is Recorded.not_a_member:
                grants.mark_lost(tx, kept.account, at)
            grants.drop(tx, kept.account)
    return len(lost)
