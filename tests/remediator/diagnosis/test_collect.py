"""What is collected is bounded, in time and size, and whatever a part does costs only that part."""

import asyncio
import io
import json
import tarfile
from typing import Any

from exporter.base.errors import UpkeeperError
from remediator.diagnosis.archive import About, pack
from remediator.diagnosis.clean import forms, text_of
from remediator.diagnosis.collect import Limits, collect, cut, within
from remediator.diagnosis.part import Entry, Part

ABOUT = About(1_790_000_000.0, "1.2.3", "host", 7, ["a remark"])


def says(path: str, found: Any) -> Part:
    async def find() -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    return Part(path, find)


async def test_a_part_that_hangs_or_breaks_costs_only_itself() -> None:
    async def never() -> None:
        await asyncio.sleep(3600)

    parts = [
        says("a", "one\n"),
        Part("b", never),
        says("c", ValueError("no\npassword=abc here")),
        says("d", {"token": "abcdef", "n": 1}),
        says("e", UpkeeperError("it is away")),
    ]
    a, b, c, d, e = await collect(parts, (), Limits(seconds=0.2))
    assert a == Entry("a", b"one\n")
    assert (b.content, b.problem) == (b"", "not known within 200ms")
    assert c.problem == "ValueError: no password=(not shown) here"
    assert json.loads(d.content) == {"token": "(not shown)", "n": 1}
    assert e.problem == "it is away"


async def test_only_so_many_are_asked_at_once() -> None:
    now = most = 0

    async def find() -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return ""

    await collect([Part(str(number), find) for number in range(20)], (), Limits(at_once=3))
    assert most == 3


async def test_a_secret_is_hidden_before_anything_is_cut() -> None:
    secret = "S" * 40
    text = "x" * 90 + secret + "\n" + "rest\n" * 50
    (entry,) = await collect([says("a", text)], [secret], Limits(part_bytes=100))
    assert b"SSS" not in entry.content
    assert entry.left_out > 0


def test_whole_lines_are_kept_of_either_end() -> None:
    content = b"".join(b"line %d\n" % number for number in range(10))
    assert cut(content, 1000, "begin") == (content, 0)
    assert cut(content, 20, "begin") == (b"line 0\nline 1\n", 56)
    assert cut(content, 20, "end") == (b"line 8\nline 9\n", 56)
    assert cut(b"y" * 50, 10, "end") == (b"y" * 10, 40)


def test_what_has_no_room_is_named() -> None:
    entries = [Entry("a", b"1" * 60), Entry("b", b"2" * 60), Entry("c", b"3" * 40), Entry("d", b"", problem="gone")]
    a, b, c, d = within(entries, 100)
    assert (a, c, d) == (entries[0], entries[2], entries[3])
    assert (b.content, b.left_out) == (b"", 60)
    assert "has all that it may have" in b.problem


def test_the_archive_holds_what_its_manifest_says_and_is_always_the_same() -> None:
    entries = [Entry("x/a.txt", b"one"), Entry("b", b"", 5, "left out"), Entry("c", b"2", 9)]
    archive = pack(entries, ABOUT)
    assert archive == pack(entries, ABOUT)
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as tar:
        names = tar.getnames()
        stem = "upkeeper-diagnosis-20260921T141320Z"
        assert archive.name == f"{stem}.tar.gz"
        assert names == [f"{stem}/{name}" for name in ("README.txt", "manifest.json", "x/a.txt", "c")]
        assert {member.mode for member in tar.getmembers()} == {0o600}
        page = tar.extractfile(names[0])
        assert page is not None
        text = page.read().decode()
    assert "about run 7" in text
    assert "b: left out" in text
    assert "c: 1 B, 9 B more left out" in text
    assert "a remark" in text
    assert [part["path"] for part in archive.manifest["parts"]] == ["x/a.txt", "b", "c"]


def test_a_secret_is_known_in_whatever_form_it_stands() -> None:
    known = forms({'a"b\\c é/d', "Bearer 0123456789", "-----BEGIN-----\nAAAABBBBCCCC\n-----END-----"})
    for text in ('a"b\\c é/d', r"a\"b\\c \u00e9/d", "a%22b%5Cc%20%C3%A9%2Fd", "0123456789", "AAAABBBBCCCC"):
        assert text_of(f"here {text} there", known) == "here (not shown) there", text


def test_a_document_stays_one_and_loses_what_other_text_in_it_hides() -> None:
    found = {"yaml": "user: bob\npassword: abcdefgh\ncolour: red\n", "flag": True, "true": "truetrue"}
    clean = json.loads(text_of(json.dumps(found), ["true"]))
    assert clean == {
        "yaml": "user: bob\npassword: (not shown)\ncolour: red\n",
        "flag": True,
        "(not shown)": "(not shown)(not shown)",
    }
