"""What nobody sees and what still acts is written out, whatever stands around it."""

import random
import sys
import unicodedata
from time import process_time

import pytest

from exporter.base.visible import visible, visible_lines
from tests.helpers import long_form, rounds

NAMED = [
    *range(0x00, 0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F),
    *range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB, 0x3164, 0xFFA0, 0x115F, 0x1160, 0x034F, 0x2800, 0x180E,
    *range(0xFE00, 0xFE10), 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0xD800, 0xDFFF, 0xE000, 0xFFFF, 0x10FFFF,
]  # fmt: skip
"""Overrides, embeddings and isolates, marks, zero widths, controls, fillers, tags, selectors, halves, no characters."""
KEPT = [
    "plain", "Grüße, 日本語, ✔", "שלום", "سلام", "e\u0301", "नमस्ते", "\u26a0\ufe0f Disk full", "❤️",
    "🔥", "a\xa0b", "\\u202e",
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_letters_of_all_scripts_and_emoji_stay(text: str) -> None:
    assert visible(text) == visible_lines(text) == text


def test_each_that_is_named_is_written_out_in_any_place() -> None:
    for code in NAMED:
        char = chr(code)
        for text in (char, f"a{char}", f"{char}a", f"a{char * 3}b", f"\u05d0{char}\u05d0"):
            shown = visible(text)
            assert char not in shown, hex(code)
            assert f"{code:02x}" in shown, hex(code)
            if char not in "\n\t":
                assert visible_lines(text) == shown


def test_no_character_there_is_gets_through_that_a_terminal_or_a_page_obeys_or_does_not_show() -> None:
    """All of them, by what Unicode says of each: of one that stays, Python too says that it is shown, or is a blank."""
    beyond = range(0x10000, sys.maxunicode + 1, 1 if long_form() else 61)
    kept = [chr(code) for code in (*range(0x10000), *beyond) if visible(chr(code)) == chr(code)]
    assert len(kept) > 50_000
    assert {unicodedata.category(char) for char in kept}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in kept)
    assert all(unicodedata.bidirectional(char) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
               for char in kept)  # fmt: skip


def test_lines_stay_where_they_may_and_are_no_lines_elsewhere() -> None:
    assert visible("f\napproved by anna\tx\r") == r"f\x0aapproved by anna\x09x\x0d"
    assert visible_lines("f\n\tx\r\n\x1b[2J") == "f\n\tx\\x0d\n\\x1b[2J"


def test_any_text_is_shown_once_and_for_all() -> None:
    """What is shown has UTF-8, is on one line, and showing it again changes nothing; no letter of it is lost."""
    source = random.Random(14)
    alphabet = [chr(code) for code in NAMED] + list("ab \\<>&\"'*_`|@/:") + KEPT
    for _ in range(rounds("VISIBLE_TEXTS", 2000, 200_000)):
        text = "".join(source.choices(alphabet, k=source.randrange(30)))
        if source.random() < 0.3:
            text += "".join(chr(source.randrange(sys.maxunicode + 1)) for _ in range(5))
        for shown in (visible(text), visible_lines(text)):
            shown.encode()
            assert visible(shown) == shown or "\n" in shown or "\t" in shown
            assert visible_lines(shown) == shown
            assert [char for char in shown if char in "<>&\"'|@"] == [char for char in text if char in "<>&\"'|@"]
        assert len(visible(text).splitlines()) <= 1


@pytest.mark.parametrize("char", ["\u202e", "\u26a0\ufe0f", "\x1b\n", "\U000e0041"])
def test_it_takes_time_by_the_length_alone(char: str) -> None:
    def seconds(length: int) -> float:
        text = char * length
        began = process_time()
        visible(text), visible_lines(text)
        return process_time() - began

    seconds(1000)
    short, long = min(seconds(10_000) for _ in range(3)), seconds(160_000)
    assert long < 16 * 6 * max(short, 0.0005), f"sixteen times as long takes {long / short:.0f} times as much"


def test_who_chooses_the_text_does_not_fill_the_memory() -> None:
    from exporter.base import visible as module

    visible("".join(map(chr, range(0x20000, 0x20000 + 3 * module._MOST_KEPT))))
    assert len(module._ONE_LINE) <= module._MOST_KEPT
