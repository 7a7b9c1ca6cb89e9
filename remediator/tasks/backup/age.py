"""Encryption with age: what is written goes through the program on its way to disk, and what is read comes from it.

The program and not a library: it is the reference implementation (BSD-3, in every distribution, 5 MB), works on a core
of its own, and takes keys of SSH and of plugins too. https://github.com/FiloSottile/age
"""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from exporter.backups.manifest import ENCRYPTED_SUFFIX, SetFile
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import Contained
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK, SetSink, Sink, Stopped

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Undecryptable(Exception):
    """A file cannot be decrypted: it is damaged, or for another key. The message says which, on one line."""


class Readable(Protocol):
    """What is read in pieces."""

    def read(self, size: int, /) -> bytes: ...


def require_age(which: Callable[[str], str | None] = shutil.which) -> str:
    """The program. Raises TaskError where it is not there."""
    found = which("age")
    if found is None:
        raise TaskError("age is not installed, which encrypts sets; install the package age")
    return found


def require_recipients(file: str) -> None:
    """Raises TaskError where nothing can be encrypted for them. Blocks."""
    program = require_age()
    done = subprocess.run(
        [program, "--encrypt", "--recipients-file", file],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=60, cwd="/",
    )  # fmt: skip
    if done.returncode:
        said = _last(done.stderr.decode("utf-8", "replace").splitlines(), done.returncode)
        raise TaskError(f"nothing can be encrypted for age_recipients_file {file}: {said}")


class EncryptedSink:
    """As Sink, of what age makes of it. Hashed is what is on disk, which is all that is ever there."""

    def __init__(self, root: Path, path: str, source: str, stop: threading.Event, recipients: str) -> None:
        self._sink = Sink(root, f"{path}{ENCRYPTED_SUFFIX}", source, stop)
        self._stop = stop
        self._age = Piped([require_age(), "--encrypt", "--recipients-file", recipients], stop, stdin=subprocess.PIPE)
        self._pump = Pump(self._age, self._sink)

    def write(self, data: bytes) -> None:
        if self._stop.is_set():
            raise Stopped
        assert self._age.process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self._age.process.stdin.write(view) :]
        except BrokenPipeError:
            self._end()
            raise TaskError("age ended before all was encrypted") from None

    def done(self) -> SetFile:
        assert self._age.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._age.process.stdin.close()
        self._end()
        return self._sink.done()

    def _end(self) -> None:
        """Waits until all of it is written. Raises what kept that from happening."""
        self._pump.join()
        status, said = self._age.end()
        if status:
            raise TaskError(f"age cannot encrypt: {_last(said, status)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._age.__exit__(kind, error, trace)
        self._pump.wait()
        self._sink.close()


class Pump:
    """Writes all that a program says into a sink, in a thread."""

    def __init__(self, program: Piped | Contained, sink: SetSink) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(program, sink), name="pump", daemon=True)
        self._thread.start()

    def _run(self, program: Piped | Contained, sink: SetSink) -> None:
        try:
            while data := program.read(CHUNK):
                sink.write(data)
        except BaseException as error:  # noqa: BLE001 - raised by join, in the thread that waits
            self._error = error
            program.kill()

    def wait(self) -> None:
        self._thread.join()

    def join(self) -> None:
        """Waits for its end. Raises what kept it from getting there."""
        self._thread.join()
        if self._error is not None:
            raise self._error


@contextmanager
def plain(directory: Path, path: str, identity: str | None, stop: threading.Event) -> Iterator[Readable]:
    """What a file of a set holds, decrypted where it is encrypted.

    identity: file of the key. Blocks. Raises OSError, and TaskError where the key is none of this file; reading raises
    Stopped, and Undecryptable where it is damaged.
    """
    if path.endswith(ENCRYPTED_SUFFIX):
        with _decrypting(directory, path, identity, stop) as age:
            yield _Decrypted(age, path, identity)
    else:
        with open(os.open(directory / path, _OPEN), "rb", buffering=0) as file:
            yield _Stoppable(file, stop)


@contextmanager
def plain_pipe(directory: Path, path: str, identity: str | None, stop: threading.Event) -> Iterator[IO[bytes]]:
    """The same of an encrypted file, for another program to read. The end of the block raises Undecryptable."""
    with _decrypting(directory, path, identity, stop) as age:
        assert age.process.stdout is not None
        yield age.process.stdout
        _require_decrypted(age, path, identity)


@contextmanager
def _decrypting(directory: Path, path: str, identity: str | None, stop: threading.Event) -> Iterator[Piped]:
    if identity is None:
        raise TaskError(f"{path} is encrypted: name the file of its key in age_identity_file")
    with open(os.open(directory / path, _OPEN), "rb", buffering=0) as file:
        command = [require_age(), "--decrypt", "--identity", identity]
        with Piped(command, stop, stdin=file) as age:
            yield age


def _require_decrypted(age: Piped, path: str, identity: str | None) -> None:
    status, said = age.end()
    if status:
        why = _last(said, status)
        if identity is not None and identity in why:  # of the file of the key: nothing is known of this one
            raise TaskError(f"age_identity_file cannot be used: {why}")
        if "no identity matched" in why:
            raise TaskError(
                f"{path} is encrypted for other keys than that of age_identity_file, or its head is damaged"
            )
        raise Undecryptable(f"{path} cannot be decrypted: {why}")


class _Decrypted:
    def __init__(self, age: Piped, path: str, identity: str | None) -> None:
        self._age = age
        self._path = path
        self._identity = identity

    def read(self, size: int, /) -> bytes:
        data = self._age.read(size)
        if not data:
            _require_decrypted(self._age, self._path, self._identity)
        return data


class _Stoppable:
    def __init__(self, file: Readable, stop: threading.Event) -> None:
        self._file = file
        self._stop = stop

    def read(self, size: int, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        return self._file.read(size)


def _last(said: list[str], status: int) -> str:
    """What age says is wrong, without its own name and its advice to report it."""
    errors = [line.removeprefix("age: ").removeprefix("error: ") for line in said if line.startswith("age: error: ")]
    return errors[0] if errors else f"exit status {status}"
