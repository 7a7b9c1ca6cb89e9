"""How the packages of the host are updated and cleaned up."""

from pydantic import Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Section


class Packages(Section):
    """What the tasks about packages may do, and how long it may take."""

    exclude: list[str] = Field(
        default=[],
        description="packages that no task updates or removes: names, in which * and ? stand for any characters",
    )
    allow_removals: bool = Field(
        default=False,
        description="whether an update may remove packages that are in its way, which the plan lists; false: what "
        "cannot be updated otherwise is left out and named",
    )
    refresh_after: Duration = Field(
        default=86400.0, ge=0, description="a plan begins by fetching the package lists when they are older"
    )
    lock_timeout: Duration = Field(
        default=300.0, ge=0, le=3600, description="how long another program that is at the packages is waited for"
    )
    time_limit: Duration = Field(
        default=3600.0, ge=60, le=6 * 3600, description="how long one step may take; then it is ended and said"
    )
    downloads_min_age: Duration = Field(
        default=30 * 86400.0,
        ge=0,
        description="younger downloads of packages stay: with those one can go back to a former version",
    )
