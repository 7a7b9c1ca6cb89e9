"""The shell's completion of commands and of their arguments. Options, and what is quoted, are left to click."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from upkeeper.quick.words import Word, approvals, backups, probes, runs, sets, targets, tasks, unfinished, verifiable
from upkeeper.table import SECTIONS

_FORMATS: Mapping[str, Callable[[Word], str]] = {
    "bash": lambda word: f"plain,{word.value}",
    "zsh": lambda word: f"plain\n{_escaped(word)}\n{word.help or '_'}",
    "fish": lambda word: f"plain,{word.value}\t{word.help}" if word.help else f"plain,{word.value}",
}
"""What the script of each shell reads (click.shell_completion)."""

_NOT_PLAIN = frozenset("'\"\\")


def complete(env: Mapping[str, str]) -> bool:
    """Prints what the line could go on with; False where only click can tell."""
    shell, _, asked = env["_UPKEEPER_COMPLETE"].partition("_")
    line, at = env.get("COMP_WORDS", ""), env.get("COMP_CWORD", "")
    if asked != "complete" or shell not in _FORMATS or not _NOT_PLAIN.isdisjoint(line + at):
        return False
    arguments, incomplete = _fish(line.split(), at) if shell == "fish" else _split(line.split(), at)
    found = _words(arguments, incomplete)
    if found is None:
        return False
    sys.stdout.write("\n".join(map(_FORMATS[shell], found)) + "\n")
    return True


def _split(words: Sequence[str], at: str) -> tuple[Sequence[str], str]:
    """The words before the one that is being written, and that one. at: its index."""
    index = int(at) if at.isdecimal() else len(words)
    return words[1:index], words[index] if index < len(words) else ""


def _fish(words: Sequence[str], incomplete: str) -> tuple[Sequence[str], str]:
    """The same from fish, which tells the word itself, and that among the others too."""
    last = bool(incomplete) and words[-1:] == [incomplete]
    return words[1:-1] if last else words[1:], incomplete


def _words(arguments: Sequence[str], incomplete: str) -> Sequence[Word] | None:
    if any(word.startswith("-") for word in (*arguments, incomplete)):
        return None
    entries = {name: entry for commands in SECTIONS.values() for name, entry in commands.items()}
    if not arguments:
        found = [Word(name, entry.help) for name, entry in entries.items()]
    else:
        command, *given = arguments
        if command not in entries or len(given) >= len(entries[command].completes):
            return None
        match entries[command].completes[len(given)]:
            case "task":
                found = tasks()
            case "target":
                found = targets(given[0], None, None, os.environ)
            case "probe":
                found = probes(incomplete, None, os.environ)
            case "run":
                found = runs(None, os.environ)
            case "unfinished":
                found = unfinished(None, os.environ)
            case "backup":
                found = backups(None, os.environ)
            case "verifiable":
                found = verifiable(None, os.environ)
            case "set":
                found = sets(None, None, os.environ)
            case "approval":
                found = approvals(None, os.environ)
    return [word for word in found if word.value.startswith(incomplete)]


def _escaped(word: Word) -> str:
    """zsh splits a word from its help at a colon."""
    return word.value.replace(":", "\\:") if word.help else word.value
