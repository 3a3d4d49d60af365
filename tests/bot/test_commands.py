"""What people type, and what it means."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import parse
from bot.hearing import questions, said
from bot.hearing.spelling import clean, distance, nearest_only, url_in
from bot.hearing.vocabulary import NAMES, TOPICS, WORDS, Word
from bot.hearing.when import MonthSaid
from core.periods import month_name

CODE = "BCDFGHJKMN"
SONG = "https://example.org/Song_(live)?A=b"

SAID: list[tuple[str, said.Command]] = [
    ("help", said.Help()),
    ("?", said.Help()),
    ("/help budget", said.Help("budget")),
    ("help bugdet", said.Help("budget")),
    ("how do i remove a like?", said.Help("remove")),
    ("What is a claim?", said.Help("claim")),
    ("what is my budget?", said.ShowBudget()),
    ("", said.Hello()),
    ("@flattr", said.Hello()),
    ("<@123456>", said.Hello()),
    ("Hi there!", said.Hello()),
    ("/start", said.Hello()),
    ("thank you so much", said.Thanks()),
    ("hey, status", said.Status()),
    ("Flattr, status please", said.Status()),
    ("link", said.Link()),
    ("link github", said.Link("github")),
    ("link my GitHub account", said.Link("github")),
    (f"link {CODE}", said.Code(CODE)),
    (f"link {CODE.lower()}", said.Code(CODE)),
    (f"<@!99> {CODE[:5]} {CODE[5:]}", said.Code(CODE)),
    (f"{CODE[:5]}-{CODE[5:].lower()}.", said.Code(CODE)),
    ("yes", said.Yes()),
    ("Yes, please!", said.Yes()),
    ("y", said.Yes()),
    ("yes but not yet", said.Unknown(("yes", "no"))),
    ("No.", said.No()),
    ("no thanks", said.No()),
    ("accounts", said.Accounts()),
    ("unlink GitHub:21031067", said.Unlink("github:21031067")),
    ("unlink my github account", said.Unlink("github")),
    ("budget", said.ShowBudget()),
    ("budget?", said.ShowBudget()),
    ("show me my budget", said.ShowBudget()),
    ("budget 35", said.SetBudget("35")),
    ("Budget: 4,50 eur", said.SetBudget("4,50 eur")),
    ("/budget@hub_bot 35 now", said.SetBudget("35", now=True)),
    ("“budget 35 NOW”", said.SetBudget("35", now=True)),
    ("set my budget to €4.50 a month, right now!", said.SetBudget("€4.50", now=True)),
    ("budget 35 €/month", said.SetBudget("35 €")),
    ("budget\u00a035\u2009now", said.SetBudget("35", now=True)),
    ("!budget35", said.SetBudget("35")),
    ("budget = 35", said.SetBudget("35")),
    ("budget -5", said.SetBudget("-5")),
    ("budget off", said.SetBudget("0")),
    ("budget \uff13\uff15", said.SetBudget("35")),
    ("35", said.Unknown(("budget 35", "remove 35"))),
    ("4.50 eur", said.Unknown(("budget 4.50 eur",))),
    ("buget 35", said.Unknown(("budget 35",))),
    ("card", said.ShowCard()),
    ("card 0002", said.ChooseCard("0002")),
    ("card 2", said.ChooseCard("0002")),
    ("card none", said.RemoveCard()),
    ("card remove", said.RemoveCard()),
    ("remove my card", said.RemoveCard()),
    ("forget the card please", said.RemoveCard()),
    ("delete card", said.RemoveCard()),
    ("new card", said.ShowCard()),
    ("card new", said.ShowCard()),
    ("card change", said.ShowCard()),
    ("credit card", said.ShowCard()),
    ("replace my card", said.ShowCard()),
    ("status", said.Status()),
    ("STATUS!!!", said.Status()),
    ("statsu", said.Guess("statsu", "status", said.Status())),
    ("status october", said.List(MonthSaid(number=10))),
    ("list", said.List()),
    ("list 2026-10", said.List(MonthSaid(year=2026, number=10))),
    ("list 10/2026 page 3", said.List(MonthSaid(year=2026, number=10), 3)),
    ("list ocotber", said.List(MonthSaid(number=10))),
    ("list last month", said.List(MonthSaid(back=1))),
    ("list page 2", said.List(page=2)),
    ("list more", said.List(page=2)),
    ("lisst", said.Guess("lisst", "list", said.List())),
    ("remove 3", said.Remove((3,))),
    ("remove 2 5 7", said.Remove((2, 5, 7))),
    ("remove 2, 5 and 7.", said.Remove((2, 5, 7))),
    ("remove #3", said.Remove((3,))),
    ("remove no. 3", said.Remove((3,))),
    ("remove 2-4 4", said.Remove((2, 3, 4))),
    ("remove 2 to 4", said.Remove((2, 3, 4))),
    ("remove 2 \u2013 4", said.Remove((2, 3, 4))),
    ("remove 3 from november", said.Remove((3,), (), MonthSaid(number=11))),
    ("remove 3 from the list", said.Remove((3,))),
    (f"remove {SONG}", said.Remove((), (SONG,))),
    (f"remove: <{SONG}>", said.Remove((), (SONG,))),
    ("delete 3", said.Remove((3,))),
    ("remov 3", said.Unknown(("remove 3",))),
    ("skip", said.Skip()),
    ("skip last month", said.Skip(MonthSaid(back=1))),
    ("skip this month please", said.Skip(MonthSaid())),
    ("unskip", said.Unskip()),
    ("undo skip", said.Unskip()),
    ("statement", said.ShowStatement()),
    ("statement October 2026", said.ShowStatement(MonthSaid(year=2026, number=10))),
    (f"flattr {SONG}", said.Flattr(SONG)),
    ("flattr example.org/a.html", said.Flattr("https://example.org/a.html")),
    (SONG, said.Flattr(SONG, bare=True)),
    (f"<{SONG}>.", said.Flattr(SONG, bare=True)),
    (f"[a song]({SONG})", said.Flattr(SONG, bare=True)),
    (f"look at this {SONG}", said.Unknown((f"flattr {SONG}",))),
    ("subscribe GitHub:AbC", said.Subscribe("github:AbC")),
    (f"subscribe to {SONG} until 2027-03", said.Subscribe(SONG, MonthSaid(year=2027, number=3))),
    ("unsubscribe from github:7", said.Unsubscribe("github:7")),
    ("subscriptions", said.Subscriptions()),
    ("pause", said.Pause()),
    ("pause on discord", said.Pause("discord")),
    ("pause everything", said.Pause()),
    ("resume discord", said.Resume("discord")),
    ("ignore", said.ShowIgnored()),
    ("ignore github:7", said.Ignore("github:7")),
    (f"unignore {SONG}", said.Unignore(SONG)),
    ("cap", said.ShowCaps()),
    ("cap 0,50 per like", said.SetCap("like", "0,50")),
    ("cap 5 eur a creator", said.SetCap("creator", "5 eur")),
    ("cap off", said.SetCap("both", None)),
    ("cap per like off", said.SetCap("like", None)),
    (
        "cap 0.50",
        said.Misread("cap", "Per like or per creator?", ("cap 0.50 per like", "cap 0.50 per creator")),
    ),
    ("cover", said.ShowCover()),
    ("cover on", said.Cover(on=True)),
    ("cover the card's cost", said.Cover(on=True)),
    ("don't cover", said.Misread("cover", "Then I change nothing.", ("cover off",))),
    ("cover off", said.Cover(on=False)),
    ("earnings", said.ShowEarnings()),
    ("claim", said.Claim()),
    ("claim please", said.Claim()),
    *(
        (text, said.Payouts())
        for text in ("payouts", "payout", "Pay me out!", "pay out", "cash out please", "bank account")
    ),
    *(
        (text, said.Payouts())
        for text in ("my bank account", "can you pay me out", "set up my payouts", "iban", "pay me")
    ),
    ("how do payouts work?", said.Help("payouts")),
    ("payouts?", said.Help("payouts", "payouts")),
    ("payouts 20", said.Misread("payouts", 'I did not understand what follows "payouts".', ("payouts",))),
    ("can you claim?", said.Help("claim")),
    ("decline", said.Decline()),
    ("decline yes", said.Decline(sure=True)),
    ("opt out", said.Decline()),
    ("decline undo", said.TakeBack()),
    ("undo decline", said.TakeBack()),
    ("stop", said.Stop()),
    ("delete me", said.Stop()),
    ("STOP YES", said.Stop(sure=True)),
    ("yes, stop", said.Stop(sure=True)),
    ("stop, no", said.Stop()),
    ("stop asking me, yes?", said.Stop()),
    ("decline yes please", said.Decline(sure=True)),
    ("no, that's not me", said.No()),
    ("cancel my subscription", said.Unknown(("subscriptions",))),
    ("please don't stop", said.Misread("stop", "Then I change nothing.", ("help stop",))),
    ("do not pause", said.Misread("pause", "Then I change nothing.", ("resume",))),
    ("never mind", said.Unknown()),
    ("no, stop", said.Unknown(("no", "stop"))),
    ("yes, budget 5", said.Unknown(("yes", "budget 5"))),
    ("cancel", said.No()),
    ("cancel my budget", said.Unknown(("budget 0",))),
    ("can you pay someone?", said.Help("flattr")),
    ("payo someone", said.Unknown()),
    ("help", said.Help()),
    ("help me please", said.Help()),
    ("help with budget", said.Help("budget")),
    ("help nonsense", said.Misread("help", 'I know no command "nonsense".', ("help",))),
    ("budget 1.000,50", said.SetBudget("1000.50")),
    ("budget 1,000.50 eur now", said.SetBudget("1000.50 eur", now=True)),
    ("budget 1'000.50", said.SetBudget("1000.50")),
    ("budget €12.345,5", said.SetBudget("€12345.5")),
    ("cap 1.000,50 per like", said.SetCap("like", "1000.50")),
    ("link soundcloud", said.Link("soundcloud")),
    ("delete", said.Unknown(("remove 3", "stop"))),
    ("export", said.Export()),
    ("colourless green ideas", said.Unknown()),
]


@pytest.mark.parametrize(("text", "meant"), SAID, ids=[text or "nothing" for text, _ in SAID])
def test_it_is_understood(text: str, meant: said.Command) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "budget fifty",
        "budget 3 4",
        "budget 2,500",
        "budget 1.000.000",
        "link AAAAA-BBBBB",
        "link AAAAA BBBBB",
        "AAAAA-BBBBB",
        "cap 1 per like and creator",
        "remove",
        "remove all",
        "remove 2.5",
        "remove 1-99999",
        "remove song",
        "list nonsense",
        "list page x",
        "flattr",
        "flattr https://a.example/1 https://a.example/2",
        "subscribe @bob",
        "subscribe github:7 until whenever",
        "ignore bob",
        "card 4242 4242 4242 4242",
        "cover me in honey",
        "claim the throne",
        "export to mars",
        "skip the queue",
        "unlink",
    ],
)
def test_what_follows_a_command_is_asked_for_again_rather_than_guessed(text: str) -> None:
    command = parse(text)
    assert isinstance(command, said.Misread)
    assert command.why.endswith((".", "?"))
    for instead in command.instead:
        assert not isinstance(parse(instead), said.Misread | said.Unknown)


CHANGES = [
    *("link", "link github", f"link {CODE}", CODE, "yes", "no", "unlink github", "unlink github:7"),
    *("budget 9", "budget 9 now", "budget 0", "set my budget to 9 now", "card 4242", "card none"),
    *("remove 3", f"remove {SONG}", "delete 3", "skip", "skip this month", "unskip", "undo skip"),
    *(f"flattr {SONG}", SONG, f"subscribe {SONG}", "subscribe github:7 until 2027-03", "unsubscribe github:7"),
    *("pause", "pause github", "resume", "resume github", "ignore github:7", "unignore github:7"),
    *("cap 0.50 per like", "cap off", "cover on", "cover off", "claim", "decline undo", "export"),
    *("payouts", "pay me out", "bank account", "card remove", "remove my card"),
    *("stop yes", "decline yes", "yes, stop", "quit yes", "delete me yes"),
]


def test_the_table_of_changes_is_complete() -> None:
    kinds = {type(parse(text)) for text in CHANGES}
    assert kinds == set(get_args(said.Changing)) == set(questions.TOPIC)


@pytest.mark.parametrize("mark", ["?", " ?", "??", "?!", '?"', "? :)", "\uff1f", "? please", "? Thanks."])
@pytest.mark.parametrize("text", CHANGES)
def test_a_question_is_explained_and_not_carried_out(text: str, mark: str) -> None:
    meant, command = parse(text), parse(text + mark)
    assert isinstance(meant, said.Changing)
    match command:
        case said.Stop() | said.Decline():
            assert not command.sure
        case said.Help():
            assert command.topic == questions.TOPIC[type(meant)]
            assert command.would == "" or parse(command.would) == meant
        case _:
            assert isinstance(command, said.Reading), command


@pytest.mark.parametrize("text", ["budget", "status", "list 2026-10", "accounts", "ignore", "cap", "cover", "earnings"])
def test_a_question_about_what_only_shows_is_answered(text: str) -> None:
    assert parse(f"{text}?") == parse(text)


def test_a_question_mark_inside_an_address_asks_nothing() -> None:
    assert parse("flattr https://example.org/?a=b") == said.Flattr("https://example.org/?a=b")


@pytest.mark.parametrize("word", [word for topic in TOPICS for word in topic.words], ids=lambda word: word.name)
def test_every_example_in_the_help_is_understood(word: Word) -> None:
    for example in word.examples:
        command = parse(example)
        assert not isinstance(command, said.Unknown | said.Misread | said.Guess), example


@pytest.mark.parametrize("name", NAMES)
def test_every_other_name_means_its_command(name: str) -> None:
    assert not isinstance(parse(name), said.Unknown | said.Guess)


def test_no_word_means_two_commands() -> None:
    names = [name for word in WORDS.values() for name in (word.name, *word.also)]
    assert len(names) == len(set(names))


@given(st.text() | st.from_regex(r"[/!]?(budget|remove|link|list|cap|card|subscribe)[\s:]{1,2}.*"))
def test_no_text_is_too_strange(text: str) -> None:
    command = parse(text)
    if isinstance(command, said.Unknown | said.Misread):
        assert all(len(instead) < 5_000 for instead in command.instead)


EXAMPLES = [example for word in WORDS.values() for example in word.examples if "http" not in example]
SPACES = " \t\u00a0\u2003\u202f\u3000\n"


@given(st.sampled_from(EXAMPLES), st.randoms(use_true_random=False))
def test_case_spaces_and_punctuation_do_not_matter(example: str, chance: random.Random) -> None:
    words = [
        word if ":" in word else "".join(chance.choice((mark.upper(), mark.lower())) for mark in word)
        for word in example.split()
    ]
    spaces = ["".join(chance.choices(SPACES, k=chance.randint(1, 3))) for _ in words]
    noisy = "".join(space + word for space, word in zip(spaces, words, strict=True))
    ends = chance.choice(("", ".", "!", " …", "  ", "!!"))
    start = chance.choice(("", "/", "!", "@flattr ", "<@!123>: ", "“", "\u200b"))
    assert parse(start + noisy.strip() + ends) == parse(example)


@given(st.sampled_from([n for n in WORDS if len(n) > 4]), st.randoms(use_true_random=False))
def test_a_slip_in_a_command_never_does_something_else(name: str, chance: random.Random) -> None:
    place = chance.randrange(1, len(name) - 1)
    slips = (
        name[:place] + name[place + 1 :],
        name[:place] + chance.choice("qxz") + name[place + 1 :],
        name[:place] + name[place + 1] + name[place] + name[place + 2 :],
    )
    for slip in slips:
        command = parse(slip)
        if slip not in NAMES:
            assert isinstance(command, said.Guess | said.Unknown | said.Misread), slip
            meant = [command.meant] if isinstance(command, said.Guess) else getattr(command, "instead", ())
            assert isinstance(command, said.Misread) or name in meant, slip


@pytest.mark.parametrize(
    ("said_month", "last", "next_"),
    [
        (MonthSaid(), "2026-11", "2026-11"),
        (MonthSaid(back=1), "2026-10", "2026-10"),
        (MonthSaid(number=11), "2026-11", "2026-11"),
        (MonthSaid(number=12), "2025-12", "2026-12"),
        (MonthSaid(number=1), "2026-01", "2027-01"),
        (MonthSaid(year=2024, number=2), "2024-02", "2024-02"),
    ],
)
def test_a_month_without_its_year_is_the_nearest_one(said_month: MonthSaid, last: str, next_: str) -> None:
    at = datetime(2026, 11, 10, tzinfo=UTC)
    assert (month_name(said_month.last(at)), month_name(said_month.next(at))) == (last, next_)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("(https://example.org/a)", "https://example.org/a"),
        ("https://en.wikipedia.org/wiki/Tip_(gratuity).", "https://en.wikipedia.org/wiki/Tip_(gratuity)"),
        ("https://example.org/a?b=c,d!", "https://example.org/a?b=c,d"),
        ("https://", None),
        ("http://?", "http://"),
        ("ftp://example.org", None),
    ],
)
def test_an_address_ends_where_the_sentence_goes_on(text: str, url: str | None) -> None:
    assert url_in(text) == (url if url != "http://" else None)


def test_invisible_marks_vanish_and_addresses_stay_as_they_are() -> None:
    assert (
        clean("\u200bbud\u200dget\u00a0\u202e35 https://example.org/\uff21") == "budget 35 https://example.org/\uff21"
    )


@pytest.mark.parametrize(("one", "other", "far"), [("list", "list", 0), ("lsit", "list", 1), ("", "abc", 3)])
def test_distance_counts_slips(one: str, other: str, far: int) -> None:
    assert distance(one, other) == distance(other, one) == far


def test_a_slip_between_two_words_is_neither() -> None:
    assert nearest_only("lisk", ["list", "link"]) is None
    assert nearest_only("lsit", ["list", "link"]) == "list"


@pytest.mark.parametrize("text", ["budget 9?\u00a2 x", "link E?\u00a2 x"])
def test_a_question_mark_that_stays_in_its_word_is_a_question_still(text: str) -> None:
    assert isinstance(parse(text), said.Help | said.Misread | said.Unknown)
