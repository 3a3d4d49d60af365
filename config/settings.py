"""What an operator may set: the sections of ``flattr.toml``, each also as an environment variable."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from config.values import Amount, Listed, Section, Several

PREFIX = "FLATTR__"


class HubSection(Section):
    """Where the hub lives and how it talks to its operator."""

    public_url: str = Field(
        "",
        description="the address under which platforms and people reach the hub",
        examples=["https://hub.example.org"],
    )
    host: str = Field("127.0.0.1", description="the address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8080, ge=0, le=65535, description="the port to listen on; 0 for any free one")
    data_dir: Path = Field(Path("var"), description="where the hub keeps its database, keys and clock")
    database: SecretStr = Field(
        SecretStr(""),
        description="the database; default: hub.db in data_dir",
        examples=["postgresql://flattr@localhost/flattr"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="how much the log says")
    log_format: Literal["text", "json"] = Field("text", description="text for people, json for machines")

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def address(self) -> str:
        """The public address; while none is set, the one it listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the hub."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def database_url(self) -> str:
        """The database's SQLAlchemy URL (it may hold a password: never print it)."""
        return self.database.get_secret_value() or f"sqlite:///{self.data_dir / 'hub.db'}"


class MoneySection(Section):
    """The money rules that an operator may set; amounts in the main unit of the currency."""

    currency: str = Field("EUR", description="the hub's one currency (ISO 4217); fixed once money was counted")
    fee_percent: Decimal = Field(Decimal(10), ge=0, le=100, description="the hub's fee, taken from each charge")
    budget_min: Amount | None = Field(None, description="the smallest monthly budget")
    budget_max: Amount | None = Field(None, description="the largest monthly budget")
    charge_min: Amount | None = Field(None, description="the payment processor's minimum; smaller sums are not charged")
    cost_percent: Decimal = Field(Decimal(0), ge=0, le=100, description="the card tariff's percentage")
    cost_fixed: Amount = Field(Decimal(0), description="the card tariff's fixed part of each charge")
    review_hours: int = Field(
        48, ge=0, le=24 * 14, description="how long patrons may strike things out before the close"
    )
    grace_minutes: int = Field(60, ge=0, le=24 * 60, description="how long a month waits for likes still on their way")
    collect_days: Listed[Annotated[int, Field(ge=0, le=28)]] = Field(
        (0, 1, 3, 5, 7), min_length=1, description="days after the close on which an unpaid card is tried"
    )
    payout_day: int = Field(11, ge=1, le=28, description="the day of the month on which creators are paid")
    payout_minimum: Amount | None = Field(None, description="the smallest payout; less is carried on, and never lapses")
    pending_days: int = Field(90, ge=1, le=366, description="how long flattrs wait for a creator who has not joined")
    cooling_days: int = Field(3, ge=0, le=90, description="how long payouts wait after two persons were joined")
    hold_percent: Decimal = Field(
        Decimal(80),
        ge=0,
        le=100,
        description="held for the operator: more than this part of a creator's month from one patron ...",
    )
    hold_amount: Amount | None = Field(None, description="... if it is also more than this amount")
    hold_mutual_percent: Decimal = Field(
        Decimal(30),
        ge=0,
        le=100,
        description="held: two people who send each other more than this part of either's month",
    )
    hold_new_days: int = Field(
        30, ge=0, le=366, description="held: a card and a creator both newer than this who have only each other"
    )
    payments: Literal["sandbox", "stripe"] = Field(
        "sandbox", description="who moves the money; sandbox: nobody, it is pretend; stripe: see docs/money.md"
    )

    @field_validator("fee_percent", "cost_percent", "hold_percent", "hold_mutual_percent")
    @classmethod
    def _whole_basis_points(cls, value: Decimal) -> Decimal:
        if value * 100 != int(value * 100):
            raise ValueError("has at most two decimals")
        return value

    @field_validator("collect_days")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("must rise, each day once, like [0, 1, 3, 5, 7]")
        return value


_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


class StripeSection(Section):
    """Stripe, which moves the money where money.payments is stripe; docs/money.md leads there step by step."""

    secret_key: SecretStr = Field(
        SecretStr(""), description="from the Dashboard, Developers, API keys: sk_test_... to try, sk_live_... for money"
    )
    webhook_secret: Several = Field(
        (), description="the signing secrets (whsec_...) of all the webhook destinations that `flattr doctor` lists"
    )
    countries: Listed[str] = Field(
        (),
        description="only cards and creators of these countries (ISO 3166, like DE, AT); empty: all that Stripe serves",
    )
    descriptor: str = Field(
        "",
        description="a word for charges in Stripe's lists; of up to four letters, it stands on bank statements too",
    )
    payout_percent: Decimal = Field(
        Decimal(0),
        ge=0,
        le=100,
        decimal_places=2,
        description="what Connect costs, for `flattr tariff`: a payout's part",
    )
    payout_fixed: Amount = Field(Decimal(0), description="... its fixed part")
    account_fixed: Amount = Field(Decimal(0), description="... and each creator's account in a month with a payout")
    api: str = Field(
        "",
        description="where Stripe answers, if not at its own address (for tests)",
        examples=["https://api.stripe.com"],
    )

    @field_validator("countries")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        codes = tuple(each.upper() for each in value)
        if wrong := [each for each in codes if not _COUNTRY.fullmatch(each)]:
            raise ValueError(f"has {wrong[0]!r}, which is no country's code of two letters, like DE")
        return codes

    @field_validator("api")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")


class SandboxSection(Section):
    """The pretend network on which a newcomer can play a month."""

    enabled: Literal["auto", "true", "false"] = Field(
        "auto",
        description="auto: while no real connector is configured and only this machine can reach the hub",
    )

    @field_validator("enabled", mode="before")
    @classmethod
    def _a_switch(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool | str) else value


class InboxSection(Section):
    """What platforms sent, as received."""

    keep_days: int = Field(
        7, ge=0, le=365, description="how long a delivery's (encrypted) text is kept once it is done"
    )


class KeysSection(Section):
    """Keys given from outside, for hubs whose data_dir does not last; else the first start makes them."""

    sealing: Several = Field((), description="Fernet keys that encrypt what is stored; the first one encrypts")
    pseudonym: SecretStr = Field(SecretStr(""), description="64 hex digits: under it declined accounts are remembered")
    book: SecretStr = Field(SecretStr(""), description="64 hex digits: they salt the month's book; never change them")


class ConnectorSection(BaseModel):
    """One connector's table: its secrets and settings, checked against its card."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, frozen=True)
    __pydantic_extra__: dict[str, Several]
    enabled: bool = Field(default=True, description="false keeps a configured connector off")

    @property
    def values(self) -> Mapping[str, tuple[SecretStr, ...]]:
        """Everything but the switch, by name."""
        return self.__pydantic_extra__ or {}


class _Environment(EnvSettingsSource):
    """Leaves texts in a free table alone: a secret that looks like a number or an object is still a text."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """A whole section, or a list; ValueError (the text stays) for anything else."""
        decoded = super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        if decoded is value or isinstance(decoded, list) or (field is not None and isinstance(decoded, dict)):
            return decoded
        raise ValueError("neither a section nor a list")


class Settings(BaseSettings):
    """All settings: defaults, below the file, below the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True, frozen=True
    )
    accept_policy_risk: Listed[str] = Field(
        (),
        description='platform actions with a red light that you switch on all the same, like "twitter.likes"',
    )
    hub: HubSection = HubSection()
    money: MoneySection = MoneySection()
    stripe: StripeSection = StripeSection()
    sandbox: SandboxSection = SandboxSection()
    inbox: InboxSection = InboxSection()
    keys: KeysSection = KeysSection()
    connectors: dict[str, ConnectorSection] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file, whose content is handed in as arguments."""
        return _Environment(settings_cls), init_settings
