"""``upkeeper --help`` as it was written down by ``make docs``."""

import os
import sys
from pathlib import Path

TEXT = Path(__file__).with_name("help.txt")
WIDTH = 80
"""Columns that the text was made for. More make no difference."""


def show() -> bool:
    """Prints the help; False where the terminal is too narrow for it."""
    if _columns() < WIDTH:
        return False
    try:
        sys.stdout.write(TEXT.read_text(encoding="utf-8"))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter can flush it
        sys.exit(1)
    return True


def _columns() -> int:
    """Of the terminal, as shutil.get_terminal_size has it."""
    try:
        given = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        given = 0
    if given > 0:
        return given
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return WIDTH
