"""What a message in a chat says, whatever stands in a plan: it is short, of lines of ours, and hides nothing unsaid."""

import random
import re
from typing import Any

from exporter.base.visible import visible
from remediator.chat import words
from remediator.chat.plain import as_it_is
from remediator.chat.slack import _escaped, _text
from tests.helpers import rounds
from tests.remediator.console.hostile import TIME

PARTS = [
    "f", "\n", "Plan 000000000000, until ", "approved by anna", "\u202e", "\u65e5\u672c", "\U0001f525", "\ud800",
    "\0", "<!channel>", "<@U1>", "*b* _i_ `c`", "@anna", "https://evil.example", "/start", " (9 GiB)", "&lt;",
    "x" * 500,
]  # fmt: skip


def asked(name: str, actions: int) -> Any:
    one = {"kind": "delete", "object": name, "reason": name, "estimated_bytes": 7, "items": 1, "params": {}}
    return {
        "task": name, "target": name, "host": name, "why": name, "expires_at": TIME, "plan_hash": "abcdef0123456789",
        "plan": {"actions": [one] * actions}, "state": "denied", "reason": name,
        "by": {"trigger": "chat", "name": name},
    }  # fmt: skip


def test_a_question_says_what_it_is_about_and_how_much_it_does_not_show() -> None:
    source = random.Random(8)
    for _ in range(rounds("CHAT_WORDS", 300, 30_000)):
        name = "".join(source.choices(PARTS, k=source.randrange(1, 8)))
        count = source.choice([0, 1, 5, 10, 11, 5000])
        text = words.question(asked(name, count))
        assert len(text.encode()) <= words.LONGEST
        lines = text.split("\n")
        assert all(visible(line) == line and len(line.encode()) <= words.LONGEST_LINE for line in lines)
        assert lines[-1] == "Plan abcdef012345, until 2026-11-28 10:00 UTC"
        shown = len([line for line in lines if line.startswith("- delete ")])
        assert shown >= min(count, 4)
        more = re.fullmatch(r"and (\d+) actions? more", lines[-3])
        assert shown + (int(more[1]) if more else 0) == count
        # Nothing else is a line: as many as there are of ours.
        assert len(lines) == 3 + shown + bool(more) + 2


def test_an_outcome_is_of_our_lines_alone_and_what_is_told_to_one_is_one() -> None:
    for name in (*PARTS, "\n".join(PARTS)):
        text = words.outcome(asked(name, 1), "failed", name)
        assert len(text.encode()) <= words.LONGEST
        assert len(text.split("\n")) == 3
        assert "\n" not in words.said(name)


def test_no_chat_makes_anything_of_it() -> None:
    for name in PARTS:
        text = words.question(asked(name, 2))
        block = _text(text)["text"]
        assert (block["type"], block["text"], block["emoji"]) == ("plain_text", text, False)
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", _escaped(text))
        [entity] = as_it_is(text)["entities"]
        assert (entity["type"], entity["offset"]) == ("pre", 0)
        assert entity["length"] == len(text.encode("utf-16-le")) // 2
