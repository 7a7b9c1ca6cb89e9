"""Reads ``upkeeper.yml`` into a validated model. Every mistake is named at once, with file, line, key and remedy."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.configfile.problem import ConfigError, Problem, dotted
from exporter.configfile.source import KeyPath, Source, SourceError, read_source
from exporter.configfile.translator import Translator

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A config in force. digest: of the file's bytes, so that a change is told from a touch."""

    value: M
    path: Path | None
    digest: str
    source: Source = field(default_factory=Source, repr=False)

    def problem(
        self, path: KeyPath, message: str, hint: str = "", severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """A problem with what stands at a path, where it stands."""
        return problem_at(self.path, self.source, path, message, hint, severity)


def problem_at(
    file: Path | None,
    source: Source,
    path: KeyPath,
    message: str,
    hint: str = "",
    severity: Literal["error", "warning"] = "error",
) -> Problem:
    """A problem with what stands at a path of a file, where it stands; also of a file that is no valid config."""
    position = source.values.get(path) or source.position(path)
    line, column = (position.line, position.column) if position else (None, None)
    return Problem(str(file), line, column, dotted(path), message, hint, severity)


def load(
    path: Path | None,
    model: type[M],
    *,
    other_sections: frozenset[str] = frozenset(),
    env: Mapping[str, str] = os.environ,
) -> Loaded[M]:
    """The config in a file as a model; the model's defaults when there is no file. Raises ConfigError.

    other_sections: top-level keys that belong to somebody else. They must be YAML, and nothing more is asked of them.
    """
    if path is None:
        return Loaded(model(), None, "")
    return parse(path, _read(path), model, other_sections=other_sections, env=env)


def parse(
    path: Path,
    text: bytes,
    model: type[M],
    *,
    other_sections: frozenset[str] = frozenset(),
    env: Mapping[str, str] | None,
) -> Loaded[M]:
    """The config in the text of a file, as load has it. env: None where dollar signs mean themselves."""
    try:
        source = read_source(text, env)
    except SourceError as error:
        raise ConfigError([_source_problem(path, (), error)]) from error
    mine = [(where, error) for where, error in source.errors if where[0] not in other_sections]
    problems = [_source_problem(path, where, error) for where, error in mine]
    try:
        value = model.model_validate({key: value for key, value in source.data.items() if key not in other_sections})
    except ValidationError as error:
        translator = Translator(str(path), source, model, other_sections | frozenset(model.model_fields))
        known = {where for where, _ in mine}
        translated = [translator.problem(details) for details in error.errors(include_url=False)]
        problems += [problem for problem, where in translated if where not in known]
        raise ConfigError(problems, source) from error
    if problems:
        raise ConfigError(problems, source)
    return Loaded(value, path, hashlib.sha256(text).hexdigest(), source)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "check the path given with --config or UPKEEPER_CONFIG" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError([Problem(str(path), None, None, "", f"cannot be read: {error.strerror}", hint)]) from error


def _source_problem(path: Path, where: KeyPath, error: SourceError) -> Problem:
    return Problem(str(path), error.line, error.column, dotted(where), str(error), error.hint)
