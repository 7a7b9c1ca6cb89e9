"""How the guards judge: their settings, for every run or of one remedy."""

from pydantic import Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Section


class Rate(Section):
    """How many runs of a remedy on one target are allowed in any hour and in any day."""

    per_hour: int = Field(default=4, ge=1, description="runs allowed in any hour")
    per_day: int = Field(default=12, ge=1, description="runs allowed in any day")


class Breaker(Section):
    """Stops a remedy that does not help: opens after so many failed or ineffective runs in a row on one target."""

    failures: int = Field(default=3, ge=1, description="failed or ineffective runs in a row that open it")
    reset_after: Duration = Field(default=86400.0, description="closes by itself after this time")


class GuardSettings(Section):
    """How the guards judge a run: one line for each guard that has a setting."""

    cooldown: Duration = Field(default=900.0, description="time after a run before the next on the same target")
    rate: Rate = Field(default=Rate(), description="how many runs are allowed")
    breaker: Breaker = Field(default=Breaker(), description="when to stop trying")
