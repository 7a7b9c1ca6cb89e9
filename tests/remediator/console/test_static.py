"""What the console's pages load is served with it, pinned, and may be."""

import hashlib
from pathlib import Path

from remediator import console

STATIC = Path(console.__file__).parent / "static"
DOCS = Path(__file__).parents[3] / "docs" / "how-to" / "console.md"
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""SHA-256 of htmx 4.0.1's ``dist/htmx.min.js``: another version comes with another one here and in the docs."""


def test_htmx_is_the_pinned_one_with_its_licence() -> None:
    assert hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert "4.0.1" in (STATIC / "htmx.min.js").read_text()
    assert "htmx](https://htmx.org) 4.0.1 (Zero-Clause BSD)" in DOCS.read_text()
    assert "Permission to use, copy, modify, and/or distribute this software" in (STATIC / "htmx.LICENSE").read_text()


def test_nothing_is_loaded_from_elsewhere() -> None:
    pages = Path(console.__file__).parent / "templates"
    loaded = [*pages.glob("*.html"), STATIC / "console.css", STATIC / "console.js"]
    assert len(loaded) > 20
    for file in loaded:
        text = file.read_text()
        assert not any(far in text for far in ("http://", "https://", "//cdn", "@import")), file
