"""Temperatures of a machine as sysfs shows them."""

from pathlib import Path

from exporter.host.sample import Sample
from exporter.host.sensors import MAX_SENSORS, temperatures


def monitor(sys: Path, number: int, name: str, device: str = "", **files: str) -> Path:
    """A hardware monitor; device: the name of the device that it belongs to."""
    directory = sys / "class/hwmon" / f"hwmon{number}"
    directory.mkdir(parents=True)
    (directory / "name").write_text(f"{name}\n")
    for file, text in files.items():
        (directory / file).write_text(f"{text}\n")
    if device:
        (sys / "devices" / device).mkdir(parents=True, exist_ok=True)
        (directory / "device").symlink_to(sys / "devices" / device)
    return directory


def zone(sys: Path, number: int, kind: str, temp: str) -> None:
    directory = sys / "class/thermal" / f"thermal_zone{number}"
    directory.mkdir(parents=True)
    (directory / "type").write_text(f"{kind}\n")
    (directory / "temp").write_text(f"{temp}\n")


def machine(sys: Path) -> None:
    """A laptop with two disks."""
    monitor(sys, 0, "acpitz", temp1_input="48000", temp1_crit="0")
    for number, device in ((1, "nvme0"), (10, "nvme1")):
        monitor(
            sys, number, "nvme", device, temp1_input=f"{35850 + number}", temp1_label="Composite", temp1_crit="84850"
        )
    monitor(sys, 2, "coretemp", "coretemp.0", temp1_input="61000", temp1_label="Package id 0", temp1_crit="100000",
            temp2_input="59000", temp2_label="Core 0", fan1_input="1200")  # fmt: skip
    zone(sys, 0, "acpitz", "48000")
    zone(sys, 1, "x86_pkg_temp", "61000")


def test_a_machine(tmp_path: Path) -> None:
    machine(tmp_path)
    assert temperatures(tmp_path) == [
        Sample("temperature_celsius", 48, ("acpitz", "virtual", "temp1")),
        Sample("temperature_celsius", 35.851, ("nvme", "nvme0", "Composite")),
        Sample("temperature_critical_celsius", 84.85, ("nvme", "nvme0", "Composite")),
        Sample("temperature_celsius", 61, ("coretemp", "coretemp.0", "Package id 0")),
        Sample("temperature_critical_celsius", 100, ("coretemp", "coretemp.0", "Package id 0")),
        Sample("temperature_celsius", 59, ("coretemp", "coretemp.0", "Core 0")),
        Sample("temperature_celsius", 35.86, ("nvme", "nvme1", "Composite")),
        Sample("temperature_critical_celsius", 84.85, ("nvme", "nvme1", "Composite")),
        Sample("temperature_celsius", 61, ("x86_pkg_temp", "thermal_zone1", "temp")),
    ]


def test_a_machine_without_sensors(tmp_path: Path) -> None:
    assert temperatures(tmp_path) == []


def test_a_sensor_that_cannot_be_read_costs_only_its_own_figure(tmp_path: Path) -> None:
    monitor(tmp_path, 0, "iwlwifi_1", temp1_input="", temp2_input="40000")
    (tmp_path / "class/hwmon/hwmon0/temp3_input").mkdir()
    assert [sample.labels[2] for sample in temperatures(tmp_path)] == ["temp2"]


def test_labels_are_one_short_line_and_their_number_is_bounded(tmp_path: Path) -> None:
    sensors = {f"temp{number}_input": "40000" for number in range(1, 100)}
    monitor(tmp_path, 0, "x" * 1000, **sensors, temp1_label="a\nb\x00" + "c" * 1000)
    found = temperatures(tmp_path)
    assert len(found) == MAX_SENSORS
    assert found[0].labels == ("x" * 40, "virtual", "ab" + "c" * 38)


def test_two_sensors_of_the_same_name_are_one(tmp_path: Path) -> None:
    monitor(tmp_path, 0, "pch", temp1_input="40000", temp1_label="CPU", temp1_crit="90000",
            temp2_input="41000", temp2_label="CPU", temp2_crit="91000")  # fmt: skip
    assert [sample.value for sample in temperatures(tmp_path)] == [40, 90]
