"""What the security review looks for, and which of its findings are accepted."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Section, shown


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{shown(text)} must be a day such as 2027-03-31") from None


Day = Annotated[str, AfterValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]


class AcceptedRisk(Section):
    """A finding of the security review that is known and borne for a time."""

    id: str = Field(min_length=1, description="its id, as the review names it; `*` stands for any characters")
    reason: str = Field(min_length=3, description="why it is borne, for whoever reads it next year")
    until: Day = Field(description="the last day on which it is accepted; afterwards it comes back, and says so")


class Security(Section):
    """The security review."""

    accept: list[AcceptedRisk] = Field(default=[], description="findings that are accepted, each with an end")
    failed_logins_within: Duration = Field(default=86400.0, gt=0, description="how far back failed logins are counted")
    failed_logins: int = Field(default=20, ge=1, description="so many from one address are a finding")
    image_max_age: Duration = Field(
        default=180 * 86400.0, gt=0, description="an image in use that was built longer ago is a finding"
    )
    scan_images: bool = Field(
        default=True,
        description="images in use are scanned where trivy or grype is installed, which may fetch its list",
    )
    scan_time: Duration = Field(default=180.0, gt=0, le=200, description="time for the scans of all images together")
