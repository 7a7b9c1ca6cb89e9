"""Archives that were made to harm: refused before anything is written, wherever they lead."""

import hashlib
import io
import os
import random
import tarfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from exporter.backups.manifest import SetFile
from remediator.model.task import TaskError
from remediator.tasks.restoring import archive
from remediator.tasks.restoring.archive import remove
from remediator.tasks.restoring.checked import SetFiles
from tests.helpers import rounds

STOP = threading.Event()


def entry(name: str, **keys: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in keys.items():
        setattr(made, key, value)
    return made


def link(name: str, to: str) -> tarfile.TarInfo:
    return entry(name, type=tarfile.SYMTYPE, linkname=to)


def hard(name: str, to: str) -> tarfile.TarInfo:
    return entry(name, type=tarfile.LNKTYPE, linkname=to)


def packed(directory: Path, *entries: tarfile.TarInfo) -> SetFile:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in entries:
            tar.addfile(each, io.BytesIO(b"x" * each.size))
    data = zstandard.ZstdCompressor(write_checksum=True).compress(raw.getvalue())
    (directory / "a.tar.zst").write_bytes(data)
    return SetFile("a.tar.zst", len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    "entries",
    [
        [entry("/etc/cron.d/x", size=3)],
        [entry("../x", size=3)],
        [entry("a/../../x", size=3)],
        [link("a", "/tmp"), entry("a/x", size=3)],
        [link("a", "b"), entry("./a//x", size=3)],
        [link("d/a", "."), entry("d/a/b/c/x", size=3)],
        [link("a", "/tmp"), hard("b", "a"), entry("b/x", size=3)],
        [hard("a", "/etc/passwd")],
        [hard("a", "../../etc/passwd")],
        [link("é" * 200, "/tmp"), entry("é" * 200 + "/x", size=3)],
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    file = packed(tmp_path, entry("good", size=3), *entries)
    with pytest.raises(TaskError, match=r"a\.tar\.zst is not unpacked: .*(outside|below a symbolic link)"):
        archive.look(SetFiles(tmp_path), file, STOP)


@pytest.mark.parametrize("entries", [[link("a", "/tmp"), entry("ab/x", size=3)], [link("a", "../.."), link("b", "a")]])
def test_links_by_themselves_are_kept(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    file = packed(tmp_path, *entries)
    assert archive.look(SetFiles(tmp_path), file, STOP) == 2
    out = tmp_path / "out"
    out.mkdir()
    assert archive.unpack(SetFiles(tmp_path), file, out, None, STOP) == []
    assert os.readlink(out / "a") == entries[0].linkname


def changed_content(out: Path) -> str:
    (out / "file").write_bytes(b"y" * 600)
    os.utime(out / "file", (0, 0))
    return "file: Contents differ"


def changed_mode(out: Path) -> str:
    (out / "file").chmod(0o600)
    return "file: Mode differs"


def changed_time(out: Path) -> str:
    os.utime(out / "file", (1, 1))
    return "file: Mod time differs"


def gone(out: Path) -> str:
    (out / "file").unlink()
    return "file: Warning: Cannot stat: No such file or directory"


@pytest.mark.parametrize("change", [changed_content, changed_mode, changed_time, gone])
def test_what_was_unpacked_is_compared(tmp_path: Path, change: Callable[[Path], str]) -> None:
    file = packed(tmp_path, entry("file", size=600), link("link", "file"))
    out = tmp_path / "out"
    out.mkdir()
    archive.unpack(SetFiles(tmp_path), file, out, None, STOP)
    assert archive.differences(SetFiles(tmp_path), file, out, STOP) == []
    assert change(out) in archive.differences(SetFiles(tmp_path), file, out, STOP)


@pytest.mark.torture
def test_whatever_is_unpacked_stays_in_its_directory(tmp_path: Path) -> None:
    """Archives of a few names at random: as directories, files, links of both kinds, and in any order."""
    names = ["a", "b", "a/b", "b/a", "a/b/c", "./a", "a//b", "..", "../x", "a/../../x", "/x"]
    unpacked = 0
    for seed in range(rounds("HARMFUL_ARCHIVES", 60, 20_000)):
        rng, root = random.Random(seed), tmp_path / str(seed)
        out, aside = root / "deep" / "out", root / "aside"
        out.mkdir(parents=True)
        aside.mkdir()
        (aside / "x").write_text("precious")
        targets = [*names, str(aside), f"{aside}/x", "../../aside", "../../aside/x", "."]
        entries: list[tarfile.TarInfo] = []
        for _ in range(rng.randint(1, 5)):
            name, target = rng.choice(names[: rng.choice((6, 6, 6, 11))]), rng.choice(targets)
            kinds = [entry(name, size=3), entry(name, type=tarfile.DIRTYPE, mode=0o755), link(name, target)]
            entries.append(rng.choice([*kinds, hard(name, rng.choice(names))]))
        before = {path: path.lstat().st_mtime_ns for path in (root, aside, out.parent, aside / "x")}
        file = packed(root, *entries)
        before[root] = root.lstat().st_mtime_ns
        with suppress(TaskError):
            archive.look(SetFiles(root), file, STOP)
            with suppress(TaskError):  # tar itself may refuse, such as a file below a file
                archive.unpack(SetFiles(root), file, out, None, STOP)
            unpacked += 1
        assert {path: path.lstat().st_mtime_ns for path in before} == before, seed
        assert (aside / "x").read_text() == "precious", seed
        assert [each.name for each in aside.iterdir()] == ["x"], seed
        assert (aside / "x").stat().st_nlink == 1, seed
        remove(root)
    assert unpacked, "not one was unpacked"
    print(f"{unpacked} of them were unpacked")
