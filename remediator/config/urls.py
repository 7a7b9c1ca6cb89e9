"""URLs as keys of the config have them."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from exporter.configfile.section import split_url


def _http(url: str) -> str:
    split_url(url, "http", "https")
    return url


HttpUrl = Annotated[str, AfterValidator(_http), WithJsonSchema({"type": "string", "pattern": "^https?://"})]
