"""The archive of what was collected, with a manifest for programs and a page for people. Pure."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes
from remediator.diagnosis.part import Entry

MANIFEST, README = "manifest.json", "README.txt"
MEDIA_TYPE = "application/gzip"


class About(NamedTuple):
    """made_at: Unix seconds. run: that the archive is about, if it is about one. remarks: on what may lack."""

    made_at: float
    version: str
    host: str
    run: int | None = None
    remarks: Sequence[str] = ()


class Archive(NamedTuple):
    """A tar.gz, the name that it is to have, and its manifest as a document."""

    name: str
    content: bytes
    manifest: dict[str, Any]


def pack(entries: Sequence[Entry], about: About) -> Archive:
    """The archive: of the same entries always the same bytes."""
    document = manifest(entries, about)
    stem = f"upkeeper-diagnosis-{format_time(about.made_at).replace(':', '').replace('-', '')}"
    files = [
        (README, "".join(f"{line}\n" for line in _page(document)).encode()),
        (MANIFEST, (json.dumps(document, indent=1) + "\n").encode()),
        *((entry.path, entry.content) for entry in entries if not entry.problem),
    ]
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in files:
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.size, info.mtime, info.mode = len(content), int(about.made_at), 0o600
            tar.addfile(info, io.BytesIO(content))
    return Archive(f"{stem}.tar.gz", gzip.compress(raw.getvalue(), 6, mtime=int(about.made_at)), document)


def manifest(entries: Sequence[Entry], about: About) -> dict[str, Any]:
    """What is in the archive, and what could not be read and why."""
    return {
        "made_at": format_time(about.made_at),
        "version": about.version,
        "host": about.host,
        "run": about.run,
        "remarks": list(about.remarks),
        "parts": [
            {
                "path": entry.path,
                "bytes": len(entry.content),
                "left_out_bytes": entry.left_out,
                "problem": entry.problem,
            }
            for entry in entries
        ],
    }


def _page(document: dict[str, Any]) -> Iterator[str]:
    about = f", about run {document['run']}" if document["run"] is not None else ""
    yield f"Diagnosis of Upkeeper {document['version']} on {document['host']}{about}, made {document['made_at']}."
    yield "Passwords, tokens and keys are left out: each stands as (not shown)."
    yield "Read it before you pass it on: names of hosts, databases and files are in it."
    yield ""
    there = [part for part in document["parts"] if not part["problem"]]
    for part in there:
        rest = f", {format_bytes(part['left_out_bytes'])} more left out" if part["left_out_bytes"] else ""
        yield f"{part['path']}: {format_bytes(part['bytes'])}{rest}"
    missing = [part for part in document["parts"] if part["problem"]]
    if missing:
        yield ""
        yield f"Not there, {counted(len(missing), 'part')}:"
        yield from (f"{part['path']}: {part['problem']}" for part in missing)
    if document["remarks"]:
        yield ""
        yield from document["remarks"]
