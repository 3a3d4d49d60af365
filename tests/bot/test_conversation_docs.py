"""docs/conversation.md tells the truth: every command is in it as the bot knows it, and every example works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.commands import parse
from bot.hearing import said
from bot.hearing.vocabulary import TOPICS, Word

PAGE = Path(__file__).parents[2] / "docs" / "conversation.md"


def section(word: Word) -> str:
    """What the page says of one command; to be copied there after a change."""
    lines = [f"### {word.name}", "", word.about]
    if word.more:
        lines[-1] += f" {word.more}"
    lines += ["", f"`{word.usage}`", "", "For example:", ""]
    lines += [f"    {example}" for example in word.examples]
    if word.also:
        lines += ["", f"Other words for it: {', '.join(f'`{also}`' for also in word.also)}"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("word", [word for topic in TOPICS for word in topic.words], ids=lambda word: word.name)
def test_every_command_is_on_the_page(word: Word) -> None:
    assert section(word) in PAGE.read_text()


def test_the_page_has_the_topics_in_order() -> None:
    found = re.findall(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    titles = [topic.title for topic in TOPICS]
    assert [title for title in found if title in titles] == titles


def test_every_example_on_the_page_is_understood() -> None:
    examples = re.findall(r"^    (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(examples) > 50
    for example in examples:
        assert not isinstance(parse(example), said.Unknown | said.Misread), example


def test_there_is_no_command_on_the_page_that_does_not_exist() -> None:
    headings = set(re.findall(r"^### (.+)$", PAGE.read_text(), flags=re.MULTILINE))
    assert headings == {word.name for topic in TOPICS for word in topic.words}
