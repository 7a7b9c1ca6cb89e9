"""Time zones by name, and the machine's own."""

from datetime import UTC
from pathlib import Path

import pytest

from remediator.config.timezones import known_zone, machine_zone, zone_name

ZONES = Path("/usr/share/zoneinfo")


def test_what_is_no_zone_is_refused_with_the_nearest() -> None:
    for name in ("Europe/Berln", "../../etc/passwd", "", "x" * 5000, "Europe"):
        with pytest.raises(ValueError, match="there is no time zone"):
            known_zone(name)
    with pytest.raises(ValueError, match=r"did you mean Europe/Berlin\?"):
        known_zone("Europe/Berln")


def test_the_machine_s_zone_is_what_the_environment_says(tmp_path: Path) -> None:
    assert zone_name(machine_zone({"TZ": "Europe/Berlin"}, tmp_path / "none")) == "Europe/Berlin"
    assert zone_name(machine_zone({"TZ": ":America/Santiago"}, tmp_path / "none")) == "America/Santiago"
    assert machine_zone({"TZ": "Nowhere/Land"}, tmp_path / "none") is UTC


def test_else_it_is_what_localtime_leads_to(tmp_path: Path) -> None:
    zone = tmp_path / "usr" / "share" / "zoneinfo" / "Europe" / "Berlin"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"")
    localtime = tmp_path / "localtime"
    localtime.symlink_to(zone)
    assert zone_name(machine_zone({}, localtime)) == "Europe/Berlin"


def test_without_either_it_is_utc(tmp_path: Path) -> None:
    assert machine_zone({}, tmp_path / "none") is UTC
    (tmp_path / "broken").write_bytes(b"no zone")
    assert machine_zone({}, tmp_path / "broken") is UTC
