"""Env files with variables that stand twice, or lines that are no variables."""

from collections.abc import Iterator

from exporter.base.text import printable
from exporter.findings.envfile import EnvFile
from exporter.findings.finding import Finding, Kind, Place
from exporter.findings.inputs import Material


class EnvFiles:
    """The last of two variables of a name wins, so that a change of the first does nothing."""

    name = "env-files"
    needs: frozenset[Kind] = frozenset({"env"})

    def find(self, material: Material) -> Iterator[Finding]:
        for file in material.env_files:
            yield from self._duplicates(file)
            for line in file.malformed:
                yield Finding(
                    self.name,
                    "warning",
                    printable(file.path),
                    Place(printable(file.path), line),
                    "the line is no variable, or its quote is never closed",
                    "write NAME=value, with the value in quotes if it holds spaces, quotes or #",
                )

    def _duplicates(self, file: EnvFile) -> Iterator[Finding]:
        seen: dict[str, tuple[int, str]] = {}
        for variable in file.variables:
            if variable.name in seen:
                line, value = seen[variable.name]
                yield Finding(
                    self.name,
                    "info" if value == variable.value else "warning",
                    variable.name,
                    Place(printable(file.path), variable.line),
                    f"{variable.name} stands on line {line} already"
                    + ("" if value == variable.value else ", with another value; this one wins"),
                    "keep one of them",
                )
            seen[variable.name] = (variable.line, variable.value)
