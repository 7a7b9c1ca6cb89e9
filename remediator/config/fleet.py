"""Where the record is kept, and how the hosts of a fleet share it."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.named_files import SecretFile
from exporter.configfile.quantities import Duration
from exporter.configfile.section import AbsolutePath, Contradiction, Name, Section, shown
from remediator.config.remedies import WholeRegex

INSTANCE = "instance"


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{shown(text)} must be the name of a label: letters, digits and _, first no digit")
    return text


_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
LabelName = Annotated[str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"})]


class State(Section):
    """Where the record and the engine of runs are."""

    database_url_file: SecretFile | None = Field(
        default=None,
        description="file that holds the URL of a PostgreSQL database (15 or newer), as in "
        "`postgresql://upkeeper:PASSWORD@db.example.org/upkeeper`, which several hosts may share; default: a SQLite "
        "file in the state directory",
    )
    journal_after: Duration | None = Field(
        default=None,
        ge=1.0,
        description="when that database has not answered for so long, the host goes on by itself on a journal in the "
        "state directory, and brings home what it did once the database answers again; default: it waits",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("journal_after") is not None and given.get("database_url_file") is None:
            yield Contradiction(
                ("journal_after",), "needs `database_url_file:`: a file in the state directory is there"
            )


class Fleet(Section):
    """Which host an alert belongs to, where several share one database and any of them takes Alertmanager's webhooks.

    Without this section an alert belongs to the host that received it.
    """

    host_label: LabelName = Field(
        default=INSTANCE,
        description="the alert's label by which its host is chosen: through `hosts:`, or by the host's name itself",
    )
    hosts: dict[WholeRegex, Name] | None = Field(
        default=None,
        min_length=1,
        description="regular expressions of the whole value of that label, each with the name of the host that it "
        "stands for; the first that matches decides, and without one there is no such host",
    )
    discovery_files: dict[Literal["exporter", "remediator"], AbsolutePath] = Field(
        default={},
        description="files that this host keeps for Prometheus's `file_sd_configs`, of the hosts' exporters and of "
        "their remediators; their directory must be there",
    )

    obeys: list[Name] | None = Field(
        default=None,
        description="hosts that may ask this one for runs, answer its approvals, cancel its runs, pause it, close its "
        "breakers and change how much its remedies may do; default: every one. Where hosts have no roles of their own "
        "in the database it holds for runs alone",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("host_label", INSTANCE) == INSTANCE and given.get("hosts") is None:
            yield Contradiction(
                (),
                "needs `hosts:`, as the label instance is an address and no host's name; or give `host_label:` a label "
                "that holds the name",
            )
        files = given.get("discovery_files")
        if isinstance(files, Mapping) and len(set(map(str, files.values()))) < len(files):
            yield Contradiction(("discovery_files",), "names one file twice: exporters and remediators need one each")
