"""When a collector runs."""

from pydantic import Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Section


class CollectorSettings(Section):
    """When a collector runs."""

    enabled: bool = Field(default=True, description="false: nothing of this kind is measured")
    interval: Duration = Field(default=15.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=10.0, gt=0, description="a collection that takes longer is aborted")
