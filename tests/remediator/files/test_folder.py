"""File work from directory handles."""

import os
from pathlib import Path

import pytest

from exporter.base import statx
from remediator.files import linux
from remediator.files.attributes import copy_attributes
from remediator.files.folder import Changed, Identity, decode_path, encode_path, open_below, open_root, printable
from remediator.model.task import TaskError
from tests.remediator.tasks.log_rotation.logdir import bound, names


def identity(path: Path) -> Identity:
    return Identity.of(path.stat())


@pytest.mark.parametrize("name", ["app.log", "a b/c%41.log", "caf\udce9\n", "\N{SNOWMAN}", "'\"\\\x1b"])
def test_paths_survive_the_record(name: str) -> None:
    text = encode_path(name)
    assert decode_path(text) == name
    assert text.isascii()
    assert printable(name).encode()  # no lone surrogates


@pytest.mark.parametrize("text", ["", "/a", "a//b", "..", "a/../b", "%2E%2E/a", "a/%2e", "a%00b", "./a", "a/"])
def test_paths_that_could_lead_out_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no plain relative path"):
        decode_path(text)


def test_an_identity_tells_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    seen = Identity.parse(str(identity(path)))
    seen.check(path.stat())
    with path.open("ab") as file:
        file.write(b"more")
    seen.check(path.stat(), may_grow=True)
    with pytest.raises(Changed, match="changed since the plan"):
        seen.check(path.stat())
    os.truncate(path, 1)
    with pytest.raises(Changed, match="truncated since the plan"):
        seen.check(path.stat(), may_grow=True)
    (tmp_path / "b").write_bytes(b"one")
    with pytest.raises(Changed, match="another file"):
        seen.check((tmp_path / "b").stat())
    with pytest.raises(Changed, match="gone"):
        seen.check(None)
    with pytest.raises(ValueError, match="not enough values"):
        Identity.parse("1:2:3")


def test_links_and_mounts_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "real" / "link").symlink_to("sub")
    (tmp_path / "real" / "file").touch()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(TaskError, match="symbolic link"), open_root(str(tmp_path / "link")):
        pass
    with pytest.raises(TaskError, match="Not a directory"), open_root(str(tmp_path / "real" / "file")):
        pass
    with open_root(str(tmp_path / "link" / "sub")) as root:  # a link among the parents is the administrator's
        assert root.path == ""
    with open_root(str(tmp_path / "real")) as root:
        with open_below(root, "sub") as sub:
            assert (sub.path, sub.join("x")) == ("sub", "sub/x")
        for path in ("link", "file", "missing", "link/x"):
            with pytest.raises(Changed, match="symbolic link, or no directory"), open_below(root, path):
                pass
        with (
            bound(tmp_path, tmp_path / "real" / "sub"),
            pytest.raises(Changed, match="a mount of its own"),
            open_below(root, "sub"),
        ):
            pass
        for name, message in (("link", "not a regular file"), ("sub", "not a regular file"), ("missing", "gone")):
            with pytest.raises(Changed, match=message):
                root.open(name)


def test_the_handle_stays_with_the_directory_that_was_opened(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with open_root(str(tmp_path / "logs")) as root:
        (tmp_path / "logs").rename(tmp_path / "moved")
        (tmp_path / "logs").mkdir()
        os.close(root.create("x"))
    assert (names(tmp_path / "logs"), names(tmp_path / "moved")) == ([], ["x"])


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    with open_root(str(tmp_path)) as root:
        with open_below(root, "a/b"):
            pass
        for path in ("a/file", "a/b/c", "x"):
            with pytest.raises(Changed), open_below(root, path):
                pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_second_name_never_replaces_a_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    with open_root(str(tmp_path)) as root:
        assert root.link("a", ["b", "c", "d", "e"]) == "d"
        assert root.find(["b", "c", "d", "e"], identity(tmp_path / "a").key) == "d"
        assert root.find(["b", "x", "d"], identity(tmp_path / "a").key) is None
        with pytest.raises(TaskError, match="every name for a is taken"):
            root.link("a", ["b", "c"])
        root.discard("d")
        root.discard("d")
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["a", "b", "c"]


def test_attributes_are_copied(tmp_path: Path) -> None:
    source, sink = tmp_path / "source", tmp_path / "sink"
    source.touch()
    source.chmod(0o4751)
    os.setxattr(source, "user.a", b"1")
    os.utime(source, ns=(1_000_000_001, 2_000_000_002))
    with open_root(str(tmp_path)) as root:
        fds = root.open("source"), root.create("sink")
        assert sink.stat().st_mode & 0o7777 == 0o600
        copy_attributes(*fds)
        for fd in fds:
            os.close(fd)
    facts = sink.stat()
    assert (facts.st_mode & 0o7777, facts.st_atime_ns, facts.st_mtime_ns) == (0o4751, 1_000_000_001, 2_000_000_002)
    assert os.getxattr(sink, "user.a") == b"1"


def test_what_linux_alone_can_do(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    (tmp_path / "b").write_bytes(b"y")
    fd = os.open(path, os.O_RDWR)
    try:
        born = statx.birth_time(fd)
        assert born is None or abs(born - path.stat().st_ctime) < 60
        assert not linux.truncate_if(fd, 9)
        assert path.stat().st_size == 10
        assert linux.truncate_if(fd, 10)
        assert path.stat().st_size == 0
    finally:
        os.close(fd)
    with open_root(str(tmp_path)) as root:
        if linux.exchange(root.fd, "a", "b"):
            assert path.read_bytes() == b"y"
        with pytest.raises(FileNotFoundError):
            linux.exchange(root.fd, "a", "missing")
    with open_root("/proc") as proc, open_root(str(tmp_path)) as root:
        assert not root.mount.holds(proc.fd)
