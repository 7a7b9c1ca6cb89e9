"""How long a reboot of the machine may take."""

from pydantic import Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Section


class Reboot(Section):
    """How long the task `reboot` waits."""

    free_within: Duration = Field(
        default=900.0,
        ge=0,
        le=4 * 3600,
        description="how long other runs that act, and a package manager at work, are waited for",
    )
    down_within: Duration = Field(
        default=600.0, ge=30, le=3600, description="how long the machine may take to stop once it was told to"
    )
    back_within: Duration = Field(
        default=900.0,
        ge=30,
        le=4 * 3600,
        description="how long after its start all that ran before may take to run again",
    )
