"""Where the config file is."""

import os
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "upkeeper.yml"


def find_config(option: str | Path | None, env: Mapping[str, str] = os.environ) -> Path | None:
    """The config file: the one given, else UPKEEPER_CONFIG, else the user's or the system's if it exists, else none."""
    chosen = option or env.get("UPKEEPER_CONFIG")
    if chosen:
        return Path(chosen)
    from platformdirs import user_config_path

    for candidate in (user_config_path("upkeeper") / FILE_NAME, Path("/etc/upkeeper") / FILE_NAME):
        if candidate.is_file():
            return candidate
    return None
