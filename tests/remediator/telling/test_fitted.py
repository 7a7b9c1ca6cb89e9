"""Messages where texts have a limit: Slack counts the escaped text, Telegram the plain one, ntfy its bytes. Pure."""

from collections.abc import Callable
from typing import Any

import pytest

from remediator.telling.fitted import fitted
from remediator.telling.ways import in_ntfy, in_slack, in_telegram
from remediator.telling.words import Message, text

LINKS = [("The run, with all its evidence", "https://ops.example.org/console/runs/7"), ("What to do", "https://wiki/x")]
SLACK_MOST, TELEGRAM_MOST, NTFY_MOST = 4000, 4096, 4096


def made(line: str, **changes: Any) -> Message:
    given: dict[str, Any] = {
        "subject": f"[warning] {line[:150]} on pa-host: sweep did not help",
        "sentence": f"sweep on attic (run 7) did not help: {line[:200]}.",
        "what": line,
        "facts": [("Host", "pa-host"), ("Since", "2027-01-15 08:00:00 UTC")],
        "done": [f"delete f{number}: done" for number in range(5)],
        "evidence": [(f"log {name}", [f"{number} {line}" for number in range(8)]) for name in "ab"],
        "todo": "look at it yourself.",
        "links": LINKS,
        "good": False,
    }
    return Message(**(given | changes))


def slack(one: Message) -> str:
    return str(in_slack(one, "#ops")["attachments"][0]["text"])  # type: ignore[index]


def telegram(one: Message) -> str:
    return str(in_telegram(one)["text"])


def ntfy(one: Message) -> str:
    return str(in_ntfy(one, "alerts", "1")["message"])


WAYS = [(slack, SLACK_MOST), (telegram, TELEGRAM_MOST), (ntfy, NTFY_MOST)]
LENGTHS: dict[Callable[[Message], str], Callable[[str], int]] = {
    slack: len,
    telegram: lambda whole: len(whole.encode("utf-16-le")) // 2,
    ntfy: lambda whole: len(whole.encode()),
}


def without(whole: str, entities: tuple[str, ...] = ("&amp;", "&lt;", "&gt;")) -> str:
    for entity in entities:
        whole = whole.replace(entity, "")
    return whole


@pytest.mark.parametrize(("way", "most"), WAYS, ids=["slack", "telegram", "ntfy"])
@pytest.mark.parametrize("letter", ["w", "&", "<", "`", "\U0001f525", "é"])
def test_what_people_need_stays_whatever_the_length(way: Callable[[Message], str], most: int, letter: str) -> None:
    whole = way(made(letter * 237))
    assert LENGTHS[way](whole) <= most
    assert "sweep on attic (run 7) did not help: " in whole
    assert "What you can do: look at it yourself." in whole
    assert all(f"{name}: {link}" in whole for name, link in LINKS)
    assert "Host: pa-host" in whole
    if way is slack:
        assert "&" not in without(whole), "half of what is written for a letter"


@pytest.mark.parametrize(("way", "most"), WAYS, ids=["slack", "telegram", "ntfy"])
def test_the_oldest_lines_go_first_and_no_more_than_must(way: Callable[[Message], str], most: int) -> None:
    whole = way(made("w" * 237))
    kept = [[f"{number} www" in part for number in range(8)] for part in whole.split("Last lines of log ")[1:]]
    assert len(kept) == 2
    for lines in kept:
        assert lines == sorted(lines), "a younger line went before an older one"
        assert lines[-1]
    assert sum(map(sum, kept)) >= 12
    assert "- delete f4: done" in whole
    short = made("w")
    assert way(short).count("w\n") == 2 * 8 + 1, "what fits is whole"


@pytest.mark.parametrize(("way", "most"), WAYS, ids=["slack", "telegram", "ntfy"])
def test_many_told_together_fit_too(way: Callable[[Message], str], most: int) -> None:
    many = [f"{number} {'&' * 340}" for number in range(15)]
    whole = way(made("x", evidence=(), done=[*many, "and 25 more"]))
    assert len(whole) <= most
    assert "- 0 &" in whole
    assert "- and more" in whole
    assert "What you can do: " in whole


def test_links_go_only_when_they_alone_are_too_long_and_the_longest_first() -> None:
    long = [("Dashboard", f"https://d/{'&' * 490}"), ("What to do", f"https://w/{'&' * 480}")]
    whole = slack(made("&" * 200, links=[*LINKS, *long]))
    assert len(whole) <= SLACK_MOST
    assert "What you can do: " in whole
    assert LINKS[0][1] in whole
    assert "https://w/" in whole
    assert "https://d/" not in whole


def test_what_stays_in_the_end_is_the_sentence_and_what_one_can_do() -> None:
    assert text(fitted(made("w" * 200), lambda one: len(text(one)), 1)) == (
        f"sweep on attic (run 7) did not help: {'w' * 200}.\n\nWhat you can do: look at it yourself.\n"
    )


def test_nothing_of_a_message_by_ntfy_is_markup_and_what_is_tapped_is_ours() -> None:
    hostile = "**bold** [here](http://evil.example.org) \ud800 @all"
    made_of = in_ntfy(made(hostile, links=[("The run", "`upkeeper show 7`"), *LINKS]), "alerts", "1")
    assert made_of.keys() == {"topic", "title", "message", "priority", "sequence_id", "click"}
    assert made_of["click"] == LINKS[0][1]
    assert (made_of["topic"], made_of["priority"]) == ("alerts", 4)
    assert "**bold** [here]" in made_of["message"], "as text"
    assert "click" not in in_ntfy(made("x", links=[("The run", "`upkeeper show 7`")]), "alerts", "1")
