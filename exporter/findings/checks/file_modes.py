"""Files that the wrong people may read or write."""

import stat
from collections.abc import Iterator

from exporter.base.text import printable
from exporter.findings.files import Mode
from exporter.findings.finding import Finding, Group, Kind, Place, Severity
from exporter.findings.inputs import Inputs

_KINDS = {
    "secret": "holds a secret",
    "key": "holds a private key",
    "env": "holds passwords",
    "script": "is run as a program",
    "config": "configures the stack",
}
_READ_AND_WRITE = frozenset({"secret", "key", "env"})


class FileModes:
    """Secrets that others may read, and anything that others may write."""

    name = "file-modes"
    needs: frozenset[Kind] = frozenset({"mode"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for file in inputs.modes:
            what, permissions = _KINDS[file.kind], f"mode {stat.S_IMODE(file.mode):04o}"
            private = file.kind in _READ_AND_WRITE
            remedy = "chmod 600 it" if private else "chmod o-w it"
            if file.mode & stat.S_IWOTH:
                many = "everybody may write {count} files of the stack: {names}"
                message = f"everybody may write it ({permissions}), and it {what}"
                yield self._finding(file, "critical", message, remedy, many)
            elif private and file.mode & stat.S_IROTH:
                severity: Severity = "critical" if file.kind == "key" else "warning"
                many = "everybody may read {count} files with secrets: {names}"
                message = f"everybody may read it ({permissions}), and it {what}"
                yield self._finding(file, severity, message, remedy, many)
            elif private and file.mode & (stat.S_IRGRP | stat.S_IWGRP):
                many = "their group may read {count} files with secrets: {names}"
                message = f"its group may read it ({permissions}), and it {what}"
                yield self._finding(file, "info", message, remedy, many)

    def _finding(self, file: Mode, severity: Severity, message: str, remedy: str, many: str) -> Finding:
        path = printable(file.path)
        return Finding(self.name, severity, path, Place(path), message, remedy, (Group(many),))
