"""Env files with variables that stand twice, or lines that are no variables."""

from collections.abc import Iterator

from exporter.base.text import printable
from exporter.findings.envfile import EnvFile
from exporter.findings.finding import Finding, Group, Kind, Place, word
from exporter.findings.inputs import Inputs


class EnvFiles:
    """The last of two variables of a name wins, so that a change of the first does nothing."""

    name = "env-files"
    needs: frozenset[Kind] = frozenset({"env"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        read_by_compose = {path for project in inputs.projects for path in project.needed_env_files}
        for file in inputs.env_files:
            yield from self._duplicates(file)
            for line, refused in _no_variables(file):
                critical = refused and file.path in read_by_compose
                yield Finding(
                    self.name,
                    "critical" if critical else "warning",
                    printable(file.path),
                    Place(printable(file.path), line),
                    "the line is not a variable, or its quote is not closed"
                    + (", so Compose does not read the file at all" if critical else ""),
                    "write NAME=value, with the value in quotes if it holds spaces, quotes or #",
                    (Group("{places} lines of env files are not variables"),),
                )
            for variable in file.variables:
                if variable.hash_value:
                    yield Finding(
                        self.name,
                        "warning",
                        printable(variable.name),
                        Place(printable(file.path), variable.line),
                        f"what follows the = of {word(variable.name)} is its value, not a comment",
                        "put the comment on its own line, or the value in quotes",
                        (Group("what follows the = of {count} variables is their value, not a comment: {names}"),),
                    )

    def _duplicates(self, file: EnvFile) -> Iterator[Finding]:
        seen: dict[str, tuple[int, str]] = {}
        for variable in file.variables:
            if variable.name and variable.name in seen:
                line, value = seen[variable.name]
                yield Finding(
                    self.name,
                    "info" if value == variable.value else "warning",
                    printable(variable.name),
                    Place(printable(file.path), variable.line),
                    f"{word(variable.name)} is already set on line {line}"
                    + ("" if value == variable.value else ", with another value; this one wins"),
                    "keep one of them",
                    (Group("{count} variables are set twice in a file, and the last one wins: {names}"),),
                )
            seen[variable.name] = (variable.line, variable.value)


def _no_variables(file: EnvFile) -> Iterator[tuple[int, bool]]:
    """Lines that are none, and whether Compose rejects the file for them."""
    for each in file.malformed:
        yield each.line, each.refused
    for variable in file.variables:
        if not variable.name:
            yield variable.line, False
