"""The commands that Discord shows in its menus, and their registration there when they changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import discord
from discord import app_commands

from bot.discord.interactions import Interactions

_PLAIN = {
    "help": "What the hub does and what you can say to it",
    "status": "Your month: what each like is worth now, and what is pending",
    "list": "Everything that counts this month, numbered, so that you can take things out",
    "statement": "What you gave last month, to the cent",
    "earnings": "What people gave you",
    "claim": "Receive what people give for your messages",
    "accounts": "The accounts that are linked to you",
}
"""Commands without arguments: the name is what the person says to the hub."""


def build(client: discord.AutoShardedClient, hub: Interactions) -> app_commands.CommandTree[Any]:
    """The whole set: usable in servers, in direct messages with the bot, and wherever a user installed it."""
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(
        client,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
    )
    for name, description in _PLAIN.items():
        tree.add_command(_plain(hub, name, description))

    @tree.command(name="link", description="Link this account to your others on other networks")
    @app_commands.describe(what="A network to sign in on, or the code that the hub gave you there; none asks for one")
    async def link(interaction: discord.Interaction, what: str | None = None) -> None:
        await hub.say(interaction, _words("link", what))

    @tree.command(name="flattr", description="Flattr any page by its address")
    @app_commands.describe(url="The address of what you like")
    async def flattr(interaction: discord.Interaction, url: str) -> None:
        await hub.say(interaction, _words("flattr", url))

    @tree.command(name="budget", description="See or set what you give each month")
    @app_commands.describe(
        amount="The sum for a month, for example 10", now="Change this month too, not only the next ones"
    )
    async def budget(
        interaction: discord.Interaction,
        amount: str | None = None,
        now: bool | None = None,  # noqa: FBT001 (the shape of a command is Discord's)
    ) -> None:
        await hub.say(interaction, _words("budget", amount, "now" if amount and now else None))

    @tree.command(name="remove", description="Take something out of this month")
    @app_commands.describe(number="Its number in your list")
    async def remove(interaction: discord.Interaction, number: app_commands.Range[int, 1, 1_000_000]) -> None:
        await hub.say(interaction, _words("remove", str(number)))

    @tree.command(name="hub", description="Say anything to the hub, as in a direct message")
    @app_commands.describe(words="For example: pause, skip, subscribe, ignore, export, stop")
    async def say(interaction: discord.Interaction, words: str) -> None:
        await hub.say(interaction, _words(words))

    @tree.command(name="flattr-server", description="For admins: whether reactions count here, and which")
    @app_commands.describe(
        emoji="The emoji that count here, or the word: default", counting="Whether reactions count at all"
    )
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    @app_commands.allowed_installs(guilds=True, users=False)
    async def server(
        interaction: discord.Interaction,
        emoji: str | None = None,
        counting: bool | None = None,  # noqa: FBT001 (the shape of a command is Discord's)
    ) -> None:
        await hub.set_server(interaction, emoji=emoji, counting=counting)

    @tree.context_menu(name="Flattr")
    async def menu(interaction: discord.Interaction, message: discord.Message) -> None:
        await hub.flattr(interaction, message)

    return tree


async def register(tree: app_commands.CommandTree[Any]) -> bool:
    """Send the set to Discord if it has another one; False: nothing was to do.

    Discord's own copy is compared, so no memory of the last registration can be wrong. It is read as sent:
    discord.py 2.7.1 shifts contexts and installation types by one when it makes objects of them.
    """
    client = tree.client
    if client.application_id is None:
        raise discord.MissingApplicationID
    there: list[Any] = list(await client.http.get_global_commands(client.application_id))
    if fingerprint(there) == fingerprint(command.to_dict(tree) for command in tree.get_commands()):
        return False
    await tree.sync()
    return True


def fingerprint(commands: Iterable[dict[str, Any]]) -> str:
    """A hash of what people see of the commands, the same for our form of them and for Discord's."""
    shapes = sorted((_shape(command) for command in commands), key=json.dumps)
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()


def _shape(command: dict[str, Any]) -> list[Any]:
    permissions = command.get("default_member_permissions")
    return [
        command.get("type", 1),
        command["name"],
        command.get("description") or "",
        sorted(command.get("contexts") or ()),
        sorted(command.get("integration_types") or ()),
        None if permissions is None else int(permissions),
        [
            [option["type"], option["name"], option["description"], bool(option.get("required"))]
            for option in command.get("options") or ()
        ],
    ]


def _plain(hub: Interactions, name: str, description: str) -> app_commands.Command[Any, ..., None]:
    async def callback(interaction: discord.Interaction) -> None:
        await hub.say(interaction, name)

    return app_commands.Command(name=name, description=description, callback=callback)


def _words(*parts: str | None) -> str:
    return " ".join(part.strip() for part in parts if part and part.strip())
