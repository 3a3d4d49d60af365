"""Which connectors are on, and why the others are not: the settings checked against the connectors' cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from config.complaints import Misconfigured, closest
from config.keys import Keys
from config.networks.restraint import ENFORCED, Restrained
from config.payments.processor import mode_of
from config.settings import PREFIX, ConnectorSection, Settings
from connectors import registry
from connectors.base import Ability, Connector, Light, Secrets, WebhookConnector
from connectors.linking import LinkingConnector
from connectors.polling import PollingConnector
from connectors.registry import Broken, NameClash


def found() -> tuple[dict[str, Connector], tuple[Broken, ...]]:
    """Every connector that is installed, and those that cannot be used."""
    try:
        known = registry.find()
    except NameClash as clash:
        raise Misconfigured(str(clash)) from None
    return dict(known.connectors), known.broken


SHORTEST = 8
"""Characters of a secret; with fewer whoever tries long enough can forge deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One connector as this hub runs it."""

    connector: Connector
    on: bool
    why: str
    """Why it is off, or what is special about its being on; for people."""
    configured: bool = False
    secrets: Secrets = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The optional settings that were given, by the names on the card."""
    off_actions: tuple[str, ...] = ()
    """Actions with a red light that nobody accepted: off, though the connector is on."""
    address: str = ""
    """What to register at the platform; empty where nothing calls us."""
    callback: str = ""
    """Where people come back to from signing in there, to be registered too; empty where nobody signs in."""

    @property
    def short_secrets(self) -> list[str]:
        """The names of secrets with a value that is too short to be one."""
        return [name for name, values in self.secrets.items() if any(len(value) < SHORTEST for value in values)]

    def can(self, ability: Ability) -> bool:
        """Whether the connector is on and has what this ability takes."""
        return self.on and ability in self.connector.card.abilities and self._has(ability)

    @property
    def polls(self) -> bool:
        """Whether members' lists of likes are read."""
        return self.counts_likes and isinstance(self.connector, PollingConnector) and self._has("polling")

    def _has(self, what: Ability | Literal["polling"]) -> bool:
        return all(self.secrets.get(name) for name in self.connector.card.needs.get(what, ()))

    @property
    def counts_likes(self) -> bool:
        """Whether likes may be listened to and asked for."""
        return self.on and "likes" not in self.off_actions

    @property
    def webhook(self) -> WebhookConnector | None:
        """The connector as it may be listened to; None where nothing calls us."""
        if not isinstance(self.connector, WebhookConnector):
            return None
        return Restrained(self.connector, self.off_actions) if self.off_actions else self.connector


def sandbox_is_on(settings: Settings, connectors: Mapping[str, Connector]) -> bool:
    """Whether the pretend networks run; Misconfigured if that is asked for where others could reach them.

    Never beside real money (`config.payments.processor.check` refuses what asks for it).
    """
    match settings.sandbox.enabled:
        case "false":
            return False
        case "true":
            if not settings.hub.is_loopback:
                raise Misconfigured(
                    f"sandbox.enabled is true, but hub.host {settings.hub.host} can be reached by others, who"
                    " could then act as anybody; set hub.host to 127.0.0.1 or sandbox.enabled to false"
                )
            return True
        case _:
            real = [
                name
                for name, section in settings.connectors.items()
                if section.enabled and name in connectors and not connectors[name].card.pretend
            ]
            return settings.hub.is_loopback and not real and mode_of(settings) != "stripe"


def muster(settings: Settings, connectors: Mapping[str, Connector], keys: Keys) -> dict[str, Entry]:
    """Every known connector with its state; Misconfigured for an unknown name or a missing secret."""
    for name in settings.connectors:
        if name not in connectors:
            raise Misconfigured(f"no connector named {name}: {closest(name, connectors)}")
    _check_accepted(settings, connectors)
    sandbox = sandbox_is_on(settings, connectors)
    entries = {}
    for name, connector in sorted(connectors.items(), key=lambda item: (item[1].card.pretend, item[0])):
        section = settings.connectors.get(name)
        if connector.card.pretend:
            entries[name] = _pretend(connector, settings, keys, section, sandbox=sandbox)
        else:
            entries[name] = _real(connector, settings, section)
    return entries


def _pretend(
    connector: Connector, settings: Settings, keys: Keys, section: ConnectorSection | None, *, sandbox: bool
) -> Entry:
    if section and section.values:
        raise Misconfigured(f"connectors.{connector.card.platform} is pretend and has no settings; remove them")
    on = sandbox and (section is None or section.enabled)
    if on:
        why = "a pretend network to play with"
    elif sandbox:
        why = "switched off by enabled = false"
    elif not settings.hub.is_loopback:
        why = "the sandbox runs on loopback only"
    else:
        why = (
            "sandbox.enabled is false"
            if settings.sandbox.enabled == "false"
            else "no pretend likes beside real money"
            if mode_of(settings) == "stripe"
            else "a real connector is configured"
        )
    secrets = {secret.name: (keys.sandbox,) for secret in connector.card.secrets}
    return Entry(connector=connector, on=on, why=why, secrets=secrets, address=_address(connector, settings))


def _real(connector: Connector, settings: Settings, section: ConnectorSection | None) -> Entry:
    card = connector.card
    address, callback = _address(connector, settings), _callback(connector, settings)
    required = [secret for secret in card.secrets if secret.required]
    if section is None:
        missing = ", ".join(secret.name for secret in required)
        why = f"not configured: needs {missing}" if missing else f"not configured: add [connectors.{card.platform}]"
        return Entry(connector=connector, on=False, why=why, address=address, callback=callback)
    _check_names(card.platform, section, {secret.name for secret in card.secrets}, set(card.settings))
    given = {name: tuple(value.get_secret_value() for value in values) for name, values in section.values.items()}
    secrets = {
        secret.name: tuple(value.encode() for value in given[secret.name] if value)
        for secret in card.secrets
        if secret.name in given
    }
    chosen = {name: ",".join(given[name]) for name in card.settings if name in given}
    if not section.enabled:
        return Entry(
            connector=connector, on=False, why="switched off by enabled = false", address=address, callback=callback
        )
    for secret in required:
        if not secrets.get(secret.name):
            setting = f"connectors.{card.platform}.{secret.name}"
            variable = PREFIX + setting.upper().replace(".", "__")
            raise Misconfigured(
                f"{setting} is missing: {secret.how.rstrip('.')}; then set it in the file or as {variable}"
            )
    refused = tuple(
        light.action for light in red(connector) if f"{card.platform}.{light.action}" not in settings.accept_policy_risk
    )
    actions = {light.action for light in card.lights}
    # What cannot be kept off by itself (an action of its own making, a stream's) keeps the whole connector off.
    separable = isinstance(connector, WebhookConnector) and set(refused) <= ENFORCED.keys()
    on = not refused or (separable and bool(actions - set(refused)))
    accept = ", ".join(f'"{card.platform}.{action}"' for action in refused)
    why = f"policy forbids {', '.join(refused)}: stays off unless accept_policy_risk has {accept}" if refused else ""
    return Entry(
        connector=connector,
        on=on,
        why=why,
        configured=True,
        secrets=secrets,
        settings=chosen,
        off_actions=refused,
        address=address,
        callback=callback,
    )


def red(connector: Connector) -> tuple[Light, ...]:
    """The actions that the platform's terms forbid."""
    return tuple(light for light in connector.card.lights if light.colour == "red")


def _check_names(platform: str, section: ConnectorSection, secrets: set[str], settings: set[str]) -> None:
    for name in section.values:
        if name == "accept_policy_risk":
            raise Misconfigured("accept_policy_risk belongs at the top of the file, above the first [section]")
        if name not in secrets | settings:
            known = closest(name, {*secrets, *settings, "enabled"})
            raise Misconfigured(f"unknown setting connectors.{platform}.{name}: {known}")


def _check_accepted(settings: Settings, connectors: Mapping[str, Connector]) -> None:
    known = {f"{name}.{light.action}" for name, each in connectors.items() for light in each.card.lights}
    for action in settings.accept_policy_risk:
        if action not in known:
            raise Misconfigured(
                f"accept_policy_risk names {action!r}, which no connector does: {closest(action, known)}"
            )


def _address(connector: Connector, settings: Settings) -> str:
    if not isinstance(connector, WebhookConnector):
        return ""
    return f"{settings.hub.address}/webhooks/{connector.card.platform}"


def _callback(connector: Connector, settings: Settings) -> str:
    if not isinstance(connector, LinkingConnector):
        return ""
    return f"{settings.hub.address}/link/{connector.card.platform}/callback"
