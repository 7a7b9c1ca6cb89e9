"""Archives of directories and files, by GNU tar, which knows sparse files, hard links, extended attributes and ACLs."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence

from pydantic import JsonValue

from exporter.backups.manifest import SetFile
from exporter.backups.tar_stream import TarBroken, TarStream
from remediator.model.task import TaskError
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK, Compressed
from remediator.tasks.backup.sources.source import Copied

OPTIONS = (
    "--create", "--file=-", "--format=posix", "--numeric-owner", "--sparse", "--acls", "--xattrs",
    "--xattrs-include=*", "--one-file-system", "--pax-option=delete=atime,delete=ctime", "--warning=no-file-ignored",
)  # fmt: skip
_CHANGED = re.compile(r"^tar: (.*): (?:[Ff]ile changed as we read it|File removed before we read it)")


def require_tar() -> str:
    """The program. Raises TaskError where it is not there, or another one."""
    found = shutil.which("tar")
    if found is not None:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
        if "GNU tar" in said:
            return found
    raise TaskError("GNU tar is not installed, which keeps owners, ACLs and holes; install the package tar")


def archive(base: str, paths: Sequence[str], into: Into, path: str, source: str, stop: threading.Event) -> Copied:
    """An archive of what is below ``base``, compressed with zstd. Blocks. Raises TaskError, OSError.

    paths: relative to base. What changes while it is read is named in the facts and the remark.
    """
    command = [require_tar(), *OPTIONS, f"--directory={base}", "--", *paths]
    seen = TarStream()
    with into.sink(path, source, stop) as sink, Piped(command, stop) as tar:
        packed = Compressed(sink, threads=len(os.sched_getaffinity(0)))
        try:
            while data := tar.read(CHUNK // 4):  # zstd and its threads have copies of it
                seen.write(data)
                packed.write(data)
            status, said = tar.end()
            changed = [match[1] for line in said if (match := _CHANGED.match(line))]
            if status not in (0, 1) or (status == 1 and not changed):
                raise TaskError(f"tar cannot read all of {source}: {_last(said, status)}")
            seen.finish()
        except TarBroken as error:
            raise TaskError(f"what tar wrote of {source} {error}") from error
        packed.finish()
        file: SetFile = sink.done()
    facts: dict[str, JsonValue] = {"entries": seen.entries, "content_bytes": seen.bytes}
    if changed:
        facts["changed"] = list[JsonValue](changed[:20])
    remark = f"{len(changed)} of its files changed while they were read, such as {changed[0]}" if changed else ""
    return Copied([file], facts, remark)


def _last(said: Sequence[str], status: int) -> str:
    lines = [line for line in said if "Exiting with failure status" not in line]
    return lines[-1].removeprefix("tar: ") if lines else f"exit status {status}"
