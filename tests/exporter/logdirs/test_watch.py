"""What is measured from what changed is what a full walk finds, whatever happens in the directory."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.logdirs import inotify, meter, watch
from exporter.logdirs.meter import FULL_SECONDS, LogMeter
from exporter.logdirs.usage import LogUsage, WalkStopped, measure
from exporter.logdirs.watch import HOT_SECONDS
from tests.exporter.fakes import FakeClock
from tests.exporter.logdirs.test_usage import directory, write
from tests.filesystems import bound, mount, mounted
from tests.helpers import long_form, rounds


class Reads:
    """Counts the directories that are listed and the files that are looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listed = self.looked_at = 0
        scandir, regular = os.scandir, watch._regular

        def counted(handle: int) -> object:
            self.listed += 1
            return scandir(handle)

        def looked(handle: int, name: str) -> object:
            self.looked_at += 1
            return regular(handle, name)

        monkeypatch.setattr(watch.os, "scandir", counted)
        monkeypatch.setattr(watch, "_regular", looked)

    def taken(self) -> tuple[int, int]:
        counts = self.listed, self.looked_at
        self.listed = self.looked_at = 0
        return counts


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


class Watched:
    """A log directory that is measured in both ways."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time, **settings: object) -> None:
        self.clock = FakeClock()
        self.settings = directory(path, **{"recursive": True, **settings})
        self.meter = LogMeter(self.settings, wall, self.clock)

    def check(self) -> LogUsage:
        usage = self.meter.measure()
        while (exact := measure(self.settings)) != usage:
            assert replace(usage, allocated_bytes=exact.allocated_bytes) == exact
            # The file system may have found a place for what was written in between. Then that shows at once.
            former, usage = usage, self.meter.measure()
            assert usage != former
        return usage


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(50):
        write(tmp_path / "logs" / f"{number % 5}" / f"{number}.log", 100 * number)
    return tmp_path / "logs"


def test_what_did_not_change_is_not_read_again(tree: Path, reads: Reads) -> None:
    watched = Watched(tree)
    watched.check()
    reads.taken()
    for _ in range(3):
        watched.meter.measure()
    assert reads.taken() == (0, 0)
    with (tree / "3" / "8.log").open("ab") as log:
        log.write(b"x" * 5000)
    usage = watched.meter.measure()
    assert reads.taken() == (1, 1)  # its directory once, to tell the file from the quiet ones
    assert usage == measure(watched.settings)
    with (tree / "3" / "8.log").open("ab") as log:
        log.write(b"x" * 5000)
    write(tree / "4" / "new.log", 7)
    watched.check()
    watched.check()
    assert watched.meter.is_told


def test_a_file_that_changes_all_the_time_costs_a_look_and_no_listing(tree: Path, reads: Reads) -> None:
    watched = Watched(tree, wall=lambda: 0.0)  # as if each round were long ago: files made since are younger
    for size in range(1, 20):
        with (tree / "0" / "5.log").open("ab") as log:
            log.write(b"x" * 1000 * size)
        write(tree / "1" / f"{size}.new", size)
        usage = watched.meter.measure()
        listed, looked_at = reads.taken()
        assert usage == measure(watched.settings)
        reads.taken()
        if size > 3:
            assert listed == 0
            assert looked_at <= size + 2
    watched.clock.now += HOT_SECONDS - 1
    watched.check()
    watched.clock.now += 2
    watched.meter.measure()  # here they are let go
    reads.taken()
    watched.meter.measure()
    assert reads.taken() == (0, 0)
    watched.check()


def test_everything_is_read_again_now_and_then(tree: Path, reads: Reads) -> None:
    """A write through a hard link elsewhere is told to nobody who watches only this directory."""
    watched = Watched(tree)
    os.link(tree / "0" / "5.log", tree.parent / "elsewhere")
    before = watched.check()
    watched.clock.now += HOT_SECONDS + 1
    (tree / "1" / "1.log").unlink()
    os.link(tree / "2" / "2.log", tree.parent / "second")
    watched.check()
    write(tree.parent / "second", 1_000_000)
    watched.clock.now += FULL_SECONDS + 1
    assert watched.check().apparent_bytes > before.apparent_bytes
    with (tree.parent / "elsewhere").open("ab") as log:  # known to have another name, so it is looked at each time
        log.write(b"x" * 100_000)
    watched.check()


def test_a_write_through_a_mapping_shows_when_the_file_is_closed_or_read_in_full(tree: Path) -> None:
    import mmap

    log = tree / "0" / "hole.log"
    with log.open("wb") as file:
        file.truncate(10 * 1024**2)
    watched = Watched(tree)
    watched.check()
    with log.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[5 * 1024**2 : 6 * 1024**2] = b"x" * 1024**2
        mapped.flush()
    watched.check()


def test_a_full_queue_means_a_full_walk_and_is_not_filled_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    one, other = tree / "0" / "5.log", tree / "1" / "6.log"
    taken: list[list[inotify.Event]] = []
    events = inotify.Inotify.events

    def seen(self: inotify.Inotify) -> object:
        taken.append(events(self))
        return taken[-1]

    monkeypatch.setattr(inotify.Inotify, "events", seen)
    watched = Watched(tree)
    watched.check()
    for _ in range(3):
        with one.open("ab", buffering=0) as first, other.open("ab", buffering=0) as second:
            for _ in range(limit // 2 + 10):
                first.write(b"x")
                second.write(b"x")
        watched.check()
        assert watched.meter.is_told
    assert [any(event.mask & inotify.OVERFLOW for event in each) for each in taken] == [True, False, False]
    write(tree / "0" / "new.log", 100)
    write(tree / "2" / "2.log", 100_000)
    watched.check()
    watched.clock.now += FULL_SECONDS + 1
    watched.check()


@pytest.mark.parametrize("what", ["watches", "instances", "many directories", "many files"])
def test_where_no_more_can_be_watched_every_round_is_a_full_walk(
    tree: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits themselves are the whole machine's, so that the calls are made to fail as the kernel fails them."""

    def refused(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    match what:
        case "watches":
            monkeypatch.setattr(inotify.Inotify, "watch", refused)
        case "instances":
            monkeypatch.setattr(inotify.Inotify, "__init__", refused)
        case "many directories":
            monkeypatch.setattr(watch, "MOST_DIRECTORIES", 4)
        case "many files":
            monkeypatch.setattr(watch, "MOST_FILES", 1)
    watched = Watched(tree)
    with capture_logs() as logs:
        for number in range(5):
            write(tree / "0" / f"{number}.new", number)
            write(tree / "1" / f"{number}.new", number)
            watched.check()
    assert not watched.meter.is_told
    (line,) = logs  # said once
    assert (line["event"], line["path"]) == ("log directory is walked in full each time", str(tree))
    monkeypatch.undo()
    watched.clock.now += FULL_SECONDS + 1
    watched.check()
    assert watched.meter.is_told


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_mount_hides_and_shows_again_what_it_was_mounted_on(tree: Path) -> None:
    watched = Watched(tree)
    full = watched.check()
    with mounted(tree / "0", "tmpfs", 2**20):
        write(tree / "0" / "huge.log", 100_000)
        assert watched.check().files == full.files - 10
    assert watched.check() == full
    with bound(tree / "1", tree / "2"):
        assert watched.check().files == full.files - 10
    assert watched.check() == full
    with mounted(tree, "tmpfs", 2**20):
        assert watched.check().files == 0
    assert watched.check() == full


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_of_a_fuse_file_system_the_kernel_tells_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "exfat", 16 * 2**20) as disk:
        watched = Watched(disk)
        for size in (10, 100, 1000):
            write(disk / f"{size}.log", size)
            watched.check()
            assert not watched.meter.is_told


def test_a_walk_that_takes_long_is_not_done_all_the_time(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_DIRECTORIES", 1)
    watched = Watched(tree)

    def slow(*arguments: object) -> LogUsage:
        watched.clock.now += 3
        return measure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(meter, "measure", slow)
    before = watched.meter.measure()
    write(tree / "new.log", 10)
    watched.clock.now += 50
    assert watched.meter.measure() == before
    watched.clock.now += 10
    assert watched.meter.measure() == measure(watched.settings) != before
    tree.rename(tree.with_name("away"))
    with pytest.raises(FileNotFoundError):
        watched.meter.measure()


def test_a_root_that_was_replaced_is_read_anew(tree: Path) -> None:
    link = tree.with_name("link")
    link.symlink_to(tree)
    watched = Watched(link)
    watched.check()
    other = tree.with_name("other")
    write(other / "a.log", 5)
    link.unlink()
    link.symlink_to(other)
    assert watched.check().files == 1
    other.rename(tree.with_name("away"))
    write(other / "b.log", 50)
    assert watched.check().apparent_bytes == 50
    shutil.rmtree(other)
    with pytest.raises(FileNotFoundError):
        watched.meter.measure()
    write(other / "c.log", 500)
    assert watched.check().apparent_bytes == 500


def test_stopped_in_the_middle_it_begins_anew(tree: Path) -> None:
    class Stop:
        def is_set(self) -> bool:
            return True

    watched = Watched(tree)
    with pytest.raises(WalkStopped):
        watched.meter.measure(Stop())
    watched.check()
    write(tree / "new" / "a.log")
    with pytest.raises(WalkStopped):
        watched.meter.measure(Stop())
    watched.check()


def test_nothing_stays_open(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    watched = Watched(tree)
    for _ in range(3):
        write(tree / "new" / "a.log")
        watched.check()
        assert len(os.listdir("/proc/self/fd")) == before + 1
    watched.meter.close()
    assert len(os.listdir("/proc/self/fd")) == before


class Chaos:
    """Does at random what programs and people do in log directories.

    recursive: whether the directories below are watched too, so that links made there are told of.
    """

    def __init__(self, root: Path, seed: int, recursive: bool) -> None:
        self._recursive = recursive
        self._root = root
        self._random = random.Random(seed)
        self._outside = root.with_name("outside")
        self._outside.mkdir()
        self._next = 0

    def step(self) -> None:
        what = self._random.choice(self._kinds())
        try:
            what()
        except OSError as error:
            if isinstance(error, FileNotFoundError | FileExistsError | NotADirectoryError | IsADirectoryError):
                return
            if error.errno in (39, 22, 18, 16, 31, 1):  # not empty, into itself, across subvolumes, busy, many links
                return
            raise

    def _kinds(self) -> list[Callable[[], None]]:
        often = [self._append, self._append, self._make, self._make, self._delete, self._rotate]
        return [
            *often, *([self._write_linked] if self._recursive else []),
            self._truncate, self._replace, self._link, self._link_out, self._hole,
            self._touch, self._mkdir, self._mkdir, self._move_directory, self._remove_tree, self._move_out,
            self._symlink, self._short_lived, self._recreate_directory, self._chmod, self._fifo, self._swap,
        ]  # fmt: skip

    def _name(self) -> str:
        self._next += 1
        return f"{self._next}.{self._random.choice(['log', 'log', 'txt', 'log.1', 'gz'])}"

    def _directory(self) -> Path:
        return self._random.choice(
            [self._root, *(p for p in self._root.rglob("*") if p.is_dir() and not p.is_symlink())]
        )

    def _file(self) -> Path:
        files = [p for p in self._root.rglob("*") if p.is_file() and not p.is_symlink()]
        return self._random.choice(files) if files else self._root / "none"

    def _append(self) -> None:
        with self._file().open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(b"x" * self._random.choice([1, 100, 5000, 70_000]))

    def _make(self) -> None:
        (self._directory() / self._name()).write_bytes(b"x" * self._random.choice([0, 1, 5000]))

    def _delete(self) -> None:
        self._file().unlink()

    def _rotate(self) -> None:
        file = self._file()
        file.rename(file.with_name(f"{file.name}.1"))
        file.write_bytes(b"new")

    def _truncate(self) -> None:
        os.truncate(self._file(), self._random.choice([0, 10, 100_000]))

    def _replace(self) -> None:
        new = self._directory() / self._name()
        new.write_bytes(b"y" * 333)
        new.replace(self._file())

    def _link(self) -> None:
        os.link(self._file(), self._directory() / self._name())

    def _link_out(self) -> None:
        os.link(self._file(), self._outside / self._name())

    def _write_linked(self) -> None:
        """Through a name elsewhere: told only where the file was known to have one."""
        linked = [p for p in self._root.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_nlink > 1]
        for file in linked[:1]:
            for other in self._root.rglob("*"):
                if other != file and other.is_file() and not other.is_symlink() and other.samefile(file):
                    with other.open("ab") as opened:
                        opened.write(b"z" * 4000)

    def _hole(self) -> None:
        with self._file().open("r+b") as file:
            file.seek(300_000)
            file.write(b"end")

    def _touch(self) -> None:
        at = self._random.randrange(10**9)
        os.utime(self._file(), (at, at))

    def _mkdir(self) -> None:
        made = self._directory() / f"d{self._next}" / "deeper"
        made.mkdir(parents=True)
        (made / self._name()).write_bytes(b"deep")

    def _move_directory(self) -> None:
        self._directory().rename(self._directory() / f"moved{self._next}")

    def _remove_tree(self) -> None:
        victim = self._directory()
        if victim != self._root:
            shutil.rmtree(victim)

    def _move_out(self) -> None:
        self._file().rename(self._outside / self._name())
        kept = [p for p in self._outside.iterdir() if p.is_file()]
        if self._random.random() < 0.5 and kept:
            self._random.choice(kept).rename(self._directory() / self._name())

    def _symlink(self) -> None:
        (self._directory() / self._name()).symlink_to(self._random.choice([self._file(), self._directory()]))

    def _short_lived(self) -> None:
        passing = self._directory() / self._name()
        passing.write_bytes(b"x")
        passing.unlink()

    def _recreate_directory(self) -> None:
        victim = self._directory()
        if victim != self._root:
            shutil.rmtree(victim)
            victim.mkdir()
            (victim / self._name()).write_bytes(b"again")

    def _chmod(self) -> None:
        self._random.choice([self._file(), self._directory()]).chmod(self._random.choice([0o700, 0o755]))

    def _fifo(self) -> None:
        os.mkfifo(self._directory() / self._name())

    def _swap(self) -> None:
        one, other, between = self._file(), self._file(), self._root / self._name()
        one.rename(between)
        other.rename(one)
        between.rename(other)


def chaos(root: Path, seed: int, rounds: int, recursive: bool = True) -> None:
    root.mkdir()
    for number in range(20):
        write(root / f"{number % 4}" / f"{number}.log", 1000 * number)
    watched = Watched(root, recursive=recursive)
    chaotic = Chaos(root, seed, recursive)
    told = 0
    for _ in range(rounds):
        for _ in range(chaotic._random.choice([0, 1, 1, 3, 20])):
            chaotic.step()
        watched.check()
        told += watched.meter.is_told
        watched.clock.now += chaotic._random.choice([0, 10, 10, 10, HOT_SECONDS / 2, HOT_SECONDS])
    assert told > 0.8 * rounds


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_it_is_what_a_full_walk_finds(tmp_path: Path, seed: int) -> None:
    chaos(tmp_path / "logs", seed, 40, recursive=seed % 5 > 0)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("kind", ["ext4", "tmpfs", *(("xfs", "btrfs") if long_form() else ())])
def test_on_every_file_system_that_tells_for_longer(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind, 512 * 2**20) as disk:
        for seed in range(rounds("WATCHED_TREES", 1, 20)):
            (disk / str(seed)).mkdir()
            chaos(disk / str(seed) / "logs", 1000 + seed, 100)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_on_an_overlay_as_containers_have_it(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ext4", 512 * 2**20) as disk:
        lower, upper, work, merged = (disk / name for name in ("lower", "upper", "work", "merged"))
        for path in (lower, upper, work, merged):
            path.mkdir()
        for number in range(50):
            write(lower / f"{number % 5}" / f"{number}.log", 100 * number)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)])
        try:
            watched = Watched(merged)
            watched.check()
            with (merged / "0" / "5.log").open("ab") as log:
                log.write(b"x" * 10_000)  # copied up by this
            (merged / "1" / "6.log").unlink()
            watched.check()
            assert watched.meter.is_told
            for seed in range(rounds("WATCHED_TREES", 1, 5)):
                (merged / f"s{seed}").mkdir()
                chaos(merged / f"s{seed}" / "logs", 2000 + seed, 100)
            watched.check()
        finally:
            watched.meter.close()
            subprocess.run(["umount", str(merged)], check=True)
