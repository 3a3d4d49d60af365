"""The contract kit: what a connector's author gets tested for a folder of recorded requests and three lines.

    CHECKS = kit.checks(connector, Path(__file__).parent / "tumbler", sign=sign)

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_it_keeps_the_contract(check: kit.Check) -> None:
        check()

It needs no test framework: a check is called, and raises an AssertionError that names the broken rule, what
happened and the remedy. docs/connectors.md describes the folder. `checks` is for connectors that are called,
`poll_checks` for those that ask; `card_checks` serves every connector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from connectors.base import Card, Connector, WebhookConnector
from connectors.kit import claims, hostile, meaning, purity, secrecy, signature
from connectors.kit.polling import poll_rules, said_page
from connectors.kit.subject import Signer, Standing, Subject, fresh_secret
from connectors.kit.vectors import BadVector, Vector, read, said
from connectors.polling import PollingConnector

__all__ = [
    "BadVector",
    "Check",
    "Signer",
    "Standing",
    "Vector",
    "card_checks",
    "checks",
    "poll_checks",
    "read",
    "said",
    "said_page",
]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract, applied to one connector by calling it."""

    name: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Raise AssertionError if the connector breaks the rule."""
        try:
            self.run()
        except AssertionError as error:
            raise AssertionError(f"broken rule: {self.name}\n{error}") from error

    def __str__(self) -> str:
        return self.name


def checks(
    connector: WebhookConnector,
    folder: Path,
    *,
    sign: Signer,
    fresh: Callable[[int], bytes] = fresh_secret,
    standing: Standing | None = None,
) -> list[Check]:
    """Every rule that a webhook connector must keep, over the recorded requests in ``folder``.

    ``sign`` gives a delivery as the platform would have signed it (any body, the first value of each
    secret).
    ``fresh`` makes the n-th secret that nobody used before; give one where secrets are not arbitrary bytes.
    ``standing`` says which likes stand after events came in some order; with it, convergence is tried on the
    real recording function and not on the events alone. Raises BadVector for a folder that cannot be read.
    """
    if not isinstance(connector, WebhookConnector):
        raise TypeError("not a webhook connector: it lacks card, challenge, verify or translate")
    subject = Subject(connector=connector, vectors=read(folder), sign=sign, fresh=fresh, standing=standing)
    themes = (meaning.RULES, signature.RULES, hostile.RULES, purity.RULES, secrecy.RULES, claims.RULES)
    rules = [rule for theme in themes for rule in theme]
    return [*card_checks(connector), *(Check(name, partial(rule, subject)) for name, rule in rules)]


def poll_checks(connector: PollingConnector, folder: Path) -> list[Check]:
    """Every rule that a polling connector must keep, over the recordings ``poll-*.json`` in ``folder``.

    The connector asks the hub's real client, which is given the recorded answers and worse. Raises BadVector for a
    folder that cannot be read.
    """
    rules = poll_rules(connector, folder)
    return [*card_checks(connector), *(Check(name, run) for name, run in rules)]


def card_checks(connector: Connector) -> list[Check]:
    """What a card must say, whatever the connector's route."""
    rules: Sequence[tuple[str, Callable[[Card], None]]] = claims.CARD_RULES
    return [Check(name, partial(rule, connector.card)) for name, rule in rules]
