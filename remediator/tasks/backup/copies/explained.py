"""What restic says when it fails, with what helps. Pure.

Exit statuses: until 0.16 all are 1; from 0.17 on 10 is no repository, 11 locked, 12 a wrong password. 3 is a snapshot
that lacks files, in every version.
"""

from collections.abc import Sequence

from exporter.backups.restic import reason_of

_NO_REPOSITORY, _LOCKED, _WRONG_PASSWORD = 10, 11, 12
INCOMPLETE = 3


def explained(where: str, password_file: str, status: int, said: Sequence[str], secrets: Sequence[str]) -> str:
    """One sentence. where: the repository, for people. said: the lines of its standard error."""
    text = "\n".join(said)
    reason = reason_of(_without_question(said), status, secrets)
    if status == _WRONG_PASSWORD or "wrong password" in text:
        return f"the password in {password_file} does not open {where}: correct it"
    if status == _LOCKED or "already locked" in text:
        return f"{where} is locked: {reason}; wait until that has ended, or run restic unlock where its process is gone"
    if "no space left on device" in text:
        return f"{where} has no room left ({reason}); make room there: restic forget --prune"
    if status == _NO_REPOSITORY or "no such file or directory" in text or "does not exist" in text:
        return f"{where} is no repository ({reason}): make it with restic init, or mount what it should be on"
    if status == INCOMPLETE:
        return f"restic could not read all files of the set: {reason}"
    return f"{where} cannot be used: {reason}"


def _without_question(said: Sequence[str]) -> str:
    """Without the question after an error, which is not the reason."""
    lines = list(said)
    for at, line in enumerate(lines):
        if line.startswith("Is there a repository at"):
            return "\n".join(lines[:at])
    return "\n".join(lines)
