"""Temperatures below ``/sys``: hardware monitors, and thermal zones where no monitor shows the same.

Formats: https://docs.kernel.org/hwmon/sysfs-interface.html and https://docs.kernel.org/driver-api/thermal/sysfs-api.html
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from exporter.host.sample import Sample

MAX_SENSORS = 64
"""How many temperatures are shown at most; a large server has about 40."""

_INPUT = re.compile(r"temp(\d+)_input")


def temperatures(sys: Path) -> list[Sample]:
    """Temperatures and critical limits in degrees Celsius, of at most MAX_SENSORS sensors. Blocks.

    A sensor that cannot be read, as one of a device that sleeps, is left out.
    """
    sensors: dict[tuple[str, ...], _Sensor] = {}
    for sensor in (*_monitors(sys / "class" / "hwmon"), *_zones(sys / "class")):
        if len(sensors) < MAX_SENSORS:
            sensors.setdefault(sensor.labels, sensor)
    return [sample for sensor in sensors.values() for sample in _samples(sensor)]


class _Sensor(NamedTuple):
    """Degrees Celsius; critical is None where the sensor does not tell."""

    labels: tuple[str, ...]
    value: float
    critical: float | None = None


def _samples(sensor: _Sensor) -> Iterator[Sample]:
    yield Sample("temperature_celsius", sensor.value, sensor.labels)
    if sensor.critical is not None:
        yield Sample("temperature_critical_celsius", sensor.critical, sensor.labels)


def _monitors(directory: Path) -> Iterator[_Sensor]:
    for monitor in _numbered(directory, "hwmon"):
        chip = _word(monitor / "name") or monitor.name
        # The device's own name stays the same over reboots; the monitor's number need not.
        device = _clean((monitor / "device").resolve().name) if (monitor / "device").exists() else "virtual"
        for file in _numbered(monitor, "temp"):
            match = _INPUT.fullmatch(file.name)
            value = _degrees(file)
            if match is None or value is None:
                continue
            label = _word(file.with_name(f"temp{match[1]}_label")) or f"temp{match[1]}"
            critical = (
                _degrees(file.with_name(f"temp{match[1]}_crit")) or None
            )  # 0 is what drivers say that do not know
            yield _Sensor((chip, device, label), value, critical)


def _zones(sys_class: Path) -> Iterator[_Sensor]:
    monitors = {_word(monitor / "name").replace("-", "_") for monitor in _numbered(sys_class / "hwmon", "hwmon")}
    for zone in _numbered(sys_class / "thermal", "thermal_zone"):
        chip, value = _word(zone / "type"), _degrees(zone / "temp")
        if chip and value is not None and chip.replace("-", "_") not in monitors:
            yield _Sensor((chip, zone.name, "temp"), value)


def _numbered(directory: Path, prefix: str) -> list[Path]:
    """Entries with that prefix, by their number; none if there is no such directory."""
    try:
        entries = [entry for entry in directory.iterdir() if entry.name.startswith(prefix)]
    except OSError:
        return []
    return sorted(entries, key=lambda entry: (int("".join(re.findall(r"\d+", entry.name)[:1]) or 0), entry.name))


def _degrees(file: Path) -> float | None:
    try:
        return int(file.read_text()) / 1000
    except (OSError, ValueError):
        return None


def _word(file: Path) -> str:
    try:
        return _clean(file.read_text("utf-8", "replace"))
    except OSError:
        return ""


def _clean(text: str) -> str:
    """One short line, as a label is."""
    return "".join(character for character in text.strip() if character.isprintable())[:40]
