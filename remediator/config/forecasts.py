"""When a forecast is worth a warning."""

from pydantic import Field

from exporter.configfile.quantities import Duration, Ratio
from exporter.configfile.section import Section


class Forecasts(Section):
    """When a forecast of what will be full is worth a warning, and how much history it is made of."""

    warn_within: Duration = Field(
        default=14 * 86400.0, ge=86400.0, description="a warning is due so long before something will be full"
    )
    min_used_ratio: Ratio = Field(
        default=0.6, description="and only of what is used to this share already: a steep day on an empty disk is none"
    )
    history: Duration = Field(
        default=42 * 86400.0,
        ge=7 * 86400.0,
        le=365 * 86400.0,
        description="how far back Prometheus is asked; older growth says little of what comes",
    )
