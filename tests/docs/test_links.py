"""Every link between our own pages leads somewhere: the file is there, and so is the heading."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "grafana").glob("*.md")]


def links(text: str) -> Iterator[str]:
    """What leads elsewhere than to the web."""
    for target in _LINK.findall(_CODE.sub("", text)):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


@cache
def anchors(page: Path) -> frozenset[str]:
    """Those of its headings, as GitHub makes them."""
    fenced = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for heading in _HEADING.findall(fenced):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return frozenset([*found, *re.findall(r'<a (?:id|name)="([^"]+)"', fenced)])


def broken(page: Path) -> Iterator[str]:
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: there is no such heading"


def test_every_link_leads_somewhere() -> None:
    assert [fault for page in pages() for fault in broken(page)] == []


def test_each_page_is_reached_from_the_readme() -> None:
    reached, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        open_ += [(page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text())]
    apart = {path for path in pages() if path.parent.name in ("runbooks", "tasks")}
    assert sorted(str(page.relative_to(ROOT)) for page in {*pages()} - reached - apart) == []


def test_a_link_to_nowhere_is_noticed(tmp_path: Path) -> None:
    assert list(links("[a](b.md#c) `[x](y.md)` [web](https://x.org) ![p](p.png)")) == ["b.md#c", "p.png"]
    page = tmp_path / "page.md"
    page.write_text("# A `b` c: d\n\n```\n# no heading\n```\n## A `b` c: d\n")
    assert anchors(page) == {"a-b-c-d", "a-b-c-d-1"}
