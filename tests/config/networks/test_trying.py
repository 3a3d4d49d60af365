"""`flattr doctor` asks the networks that are on whether they take what was set up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.commands.diagnosis import trying
from config.commands.diagnosis.findings import Finding
from config.parts import assemble
from config.settings import ConnectorSection, HubSection, Settings
from tests.platforms.dailymotion_api import FakeDailymotion
from tests.platforms.facebook_api import FakeFacebook
from tests.platforms.flickr_api import FakeFlickr
from tests.platforms.github_api import FakeGitHub
from tests.platforms.misbehaving import Says
from tests.platforms.soundcloud_api import FakeSoundCloud
from tests.platforms.twitter_api import FakeTwitter
from tests.platforms.vimeo_api import FakeVimeo

FAKES: dict[str, Callable[[], Any]] = {
    "dailymotion": FakeDailymotion,
    "facebook": FakeFacebook,
    "flickr": FakeFlickr,
    "github": FakeGitHub,
    "soundcloud": FakeSoundCloud,
    "twitter": FakeTwitter,
    "vimeo": FakeVimeo,
}


async def tried(folder: Path, name: str, fake: Any, **instead: str) -> list[Finding]:
    section = ConnectorSection.model_validate({**fake.secrets, **fake.settings, **instead})
    settings = Settings.model_construct(hub=HubSection(data_dir=folder), connectors={name: section})
    parts = await asyncio.to_thread(assemble, settings)
    try:
        return await asyncio.to_thread(trying.networks, parts)
    finally:
        await asyncio.to_thread(parts.close)


@pytest.mark.parametrize("name", FAKES)
async def test_secrets_that_the_network_takes_are_well(tmp_path: Path, name: str) -> None:
    fake = FAKES[name]()
    async with fake:
        found = await tried(tmp_path, name, fake)
    assert found
    assert {each.what for each in found} == {name}
    assert "well" in {each.state for each in found}
    assert [each for each in found if each.state != "well" and not each.remedy] == []


@pytest.mark.parametrize("name", FAKES)
async def test_a_wrong_secret_is_named_with_its_remedy(tmp_path: Path, name: str) -> None:
    fake = FAKES[name]()
    wrong = {secret: f"not-{value}"[:60] for secret, value in fake.secrets.items()}
    async with fake:
        found = await tried(tmp_path, name, fake, **wrong)
    trouble = [each for each in found if each.state != "well"]
    assert trouble
    assert [each for each in trouble if not each.remedy] == []
    secret = [value for kind, value in wrong.items() if not kind.endswith(("_id", "_key"))]
    assert not any(value in f"{each.text} {each.remedy}" for each in found for value in secret)


@pytest.mark.parametrize("name", FAKES)
async def test_a_network_that_fails_stops_nothing(tmp_path: Path, name: str) -> None:
    fake = FAKES[name]()
    async with fake:
        fake.suffer(*[Says(500)] * 60)
        found = await tried(tmp_path, name, fake)
    assert found
    assert all(each.state == "attention" for each in found if "answer" in each.text or "fail" in each.text)
