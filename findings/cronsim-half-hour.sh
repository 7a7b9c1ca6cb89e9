#!/bin/sh
# cronsim leaves out times where clocks go forward by half an hour, as on Lord Howe Island: on 2026-10-04 they jump from
# 2:00 to 2:30. An expression about an hour that is whole there, `*/15 4 * * *`, has four times that morning, and cronsim
# gives the last two. Where the jump is a whole hour, all four come.
# Upkeeper asks it stretch by stretch of a constant offset (remediator/config/cron.py), and its tests compare with a look
# at the clock every minute.
set -eu

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check cronsim==2.8 tzdata==2025.2

"$directory/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys
from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim


def morning(zone, year, month, day):
    """The times of `*/15 4 * * *` on a day, by a clock there."""
    begin = datetime(year, month, day, tzinfo=ZoneInfo(zone))
    found = takewhile(lambda moment: moment.date() == begin.date(), CronSim("*/15 4 * * *", begin))
    return [f"{moment:%H:%M}" for moment in found]


half = morning("Australia/Lord_Howe", 2026, 10, 4)
whole = morning("Europe/Berlin", 2026, 3, 29)
print(f"cronsim {importlib.metadata.version('cronsim')}")
print(f"clocks go forward by half an hour (Lord Howe): {', '.join(half)}")
print(f"clocks go forward by an hour (Berlin):         {', '.join(whole)}")
sys.exit(0 if (half, whole) == (["04:30", "04:45"], ["04:00", "04:15", "04:30", "04:45"]) else 1)
PYTHON
