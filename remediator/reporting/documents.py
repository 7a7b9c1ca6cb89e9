"""A report as JSON. Pure."""

import json

from remediator.reporting.report import Report

MEDIA_TYPE = "application/json"


def render(report: Report) -> str:
    return json.dumps(report.document(), indent=1, ensure_ascii=False) + "\n"
