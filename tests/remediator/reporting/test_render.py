"""The pages of a report: all of it is there, and whatever somebody else has written stays text."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.base.text import format_time_ms
from exporter.base.visible import visible_lines
from remediator.reporting import documents, html, markdown
from remediator.reporting.charts import MOST_BARS, runs_chart
from remediator.reporting.report import NOT_KNOWN, DayDone, Open, TaskDone
from remediator.store.figures import Trouble
from tests.remediator.reporting.reports import DAY, NOW, empty, full

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>x</script>",
    "{{ 7*7 }}{% raw %}",
    "a|b\n# heading\n[link](javascript:alert(1)) ![x](http://a/) `code` *b* <b>",
    "\u202eevil\x00\x1b[2J",
    "&lt;script&gt;",
]


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = Parsed(html.render(full()))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_no_element_of_the_page_and_can_be_read(text: str) -> None:
    page = html.render(full(text))
    parsed = Parsed(page)
    assert parsed.tags == PLAIN.tags
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "img", "iframe", "link", "a", "form"})
    assert not any(name.startswith("on") for _, names in parsed.tags for name in names)
    assert parsed.text.count(visible_lines(text)) >= 15


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=60))
def test_no_text_changes_an_element(text: str) -> None:
    assert Parsed(html.render(full(text))).tags == PLAIN.tags


def test_the_page_needs_nothing_from_elsewhere_and_has_both_lights_and_paper() -> None:
    page = html.render(full())
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert 'name="viewport"' in page
    assert len(page) < 40_000


def test_every_part_is_told() -> None:
    for text in (Parsed(html.render(full("kettle"))).text, markdown.render(full("kettle"))):
        for words in (
            "13", "3 GiB", "restored", "nothing yet", "not within 112 days", "not foretold: kettle", "or later", "80%",
            "2026-11-28", "upkeeper show 77", "kettle", "3 things open", "4 alerts began; for 3 of them a run helped",
        ):  # fmt: skip
            assert words in text, words


def test_an_empty_report_says_that_there_is_nothing() -> None:
    for text in (Parsed(html.render(empty())).text, markdown.render(empty())):
        for words in ("Nothing is open", "Nothing has run", "No forecast is known", "There is no former report"):
            assert words in text, words


def test_what_could_not_be_looked_at_is_not_told_as_nothing() -> None:
    report = replace(empty(), unseen=("open", "remedies", "backups"), unknown=["what is open: no answer"])
    for text in (Parsed(html.render(report)).text, markdown.render(report)):
        assert text.count(NOT_KNOWN) == 3
        assert "0 runs; what is open is not known" in text
        for words in ("Nothing is open", "No backup", "No remedy", "things open"):
            assert words not in text, words


def test_every_count_is_of_the_rows_below_it() -> None:
    done = [TaskDone("tidy", 6, 1, 1, 1, 2, 1, 0, 3, 0, 1.0)]
    troubles = [Trouble("tidy", "attic", "failed", 1, 7, NOW, "no"), Trouble("tidy", "a", "ineffective", 1, 8, NOW, "")]
    waits = [Open("alert", "one"), Open("alert", "12 further alerts", count=12)]
    report = replace(empty(), done=done, troubles=troubles, open=waits)
    for text in (Parsed(html.render(report)).text, markdown.render(report)):
        assert "6 runs (1 only planned), 3 without success; 13 things open" in text
        assert "And 1 further run without success." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_no_structure_of_the_markdown(text: str) -> None:
    plain, page = markdown.render(full()).splitlines(), markdown.render(full(text)).splitlines()
    assert len(plain) == len(page)
    assert [line[:2] for line in plain if line.startswith("#")] == [line[:2] for line in page if line.startswith("#")]
    for before, after in zip(plain, page, strict=True):
        if before.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", before)) == len(re.findall(r"(?<!\\)\|", after)), after
    outside = re.sub(r"`+ ?.*? ?`+", "", "\n".join(page))
    assert not re.search(r"(?<!\\)<[a-z/]", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)


def test_the_document_has_everything_with_times_as_rfc_3339_has_them() -> None:
    document = json.loads(documents.render(full()))
    assert document["format"] == 1
    assert (document["since"], document["until"]) == (format_time_ms(NOW - 7 * DAY), format_time_ms(NOW))
    assert document["totals"] == {"runs": 13, "freed_bytes": 3 * 2**30, "in_trouble": 2, "planned": 1, "open": 3}
    assert document["fills_up"][0]["full_from"] == format_time_ms(NOW + 9 * DAY)
    assert document["fills_up"][1]["full_from"] is None
    assert document["troubles"][0]["last_at"] == format_time_ms(NOW - 5)
    assert document["state"]["images"] == {"web": "a text"}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=400)
)
def test_a_chart_is_well_formed_stays_within_its_frame_and_shows_each_sum(days: list[tuple[int, int, int]]) -> None:
    figures = [DayDone(NOW + day * DAY, *counts, 0) for day, counts in enumerate(days)]
    root = ElementTree.fromstring(str(runs_chart(figures)))
    bars = [one for one in root if one.tag == "rect"]
    for bar in bars:
        x, y, width, height = (float(bar.get(name) or 0) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + width <= 641
        assert y + height <= 151
    assert len({bar.get("x") for bar in bars}) <= MOST_BARS
    assert bool(bars) == any(any(counts) for counts in days)
