"""Names of things in PostgreSQL."""

from typing import Annotated

from pydantic import AfterValidator

from exporter.configfile.section import shown


def _identifier(name: str) -> str:
    if not name or "\0" in name or len(name.encode()) > 63:
        raise ValueError(f"{shown(name)} must be a PostgreSQL identifier: 1 to 63 bytes")
    return name


Identifier = Annotated[str, AfterValidator(_identifier)]
"""A name as PostgreSQL keeps it. It is not quoted: quote it where it becomes SQL."""
