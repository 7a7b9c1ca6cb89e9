"""What is in force while a config says nothing of it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from remediator.config.remedies import Remedy


@cache
def default_remedies() -> Sequence[Remedy]:
    """The remedies that ship with Upkeeper, in force while the config names none."""
    text = (Path(__file__).parent / "default_remedies.yml").read_text()
    return TypeAdapter(list[Remedy]).validate_python(yaml.safe_load(text))
