"""A Prometheus and an Alertmanager that are already there."""

from pydantic import Field

from exporter.configfile.section import Section
from remediator.config.urls import HttpUrl


class Peer(Section):
    """A Prometheus or Alertmanager that is already there, in place of the one `upkeeper up` starts."""

    url: HttpUrl = Field(description="where it answers, as in `http://127.0.0.1:9090`")
