"""``install`` and ``uninstall`` as they are typed, below a root of the test's own."""

import json
from pathlib import Path

from tests.upkeeper.commandline import invoke

UNITS = "etc/systemd/system"


async def states(*arguments: str | Path) -> list[str]:
    done = await invoke(*arguments, "--json")
    assert done.status == 0, done.err
    return [each["state"] for each in json.loads(done.out)["files"]]


async def test_it_writes_says_what_it_kept_and_takes_it_away_again(tmp_path: Path) -> None:
    install = ("install", "--systemd", "--root", tmp_path, "--program", "/usr/bin/upkeeper")
    assert await states(*install, "--dry-run") == ["new"] * 4
    assert list(tmp_path.iterdir()) == []
    assert await states(*install) == ["new"] * 4
    unit = tmp_path / UNITS / "upkeeper-exporter.service"
    assert "ExecStart=/usr/bin/upkeeper exporter" in unit.read_text()
    dropin = tmp_path / UNITS / "upkeeper-remediator.service.d" / "override.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nNice=5\n")
    unit.write_text(unit.read_text() + "# mine\n")
    assert await states(*install, "--packages") == ["kept", "changed", "same", "same"]
    told = await invoke(*install)
    assert f"/{UNITS}/upkeeper-exporter.service    kept: it was changed by somebody, or is not ours" in told.out
    assert "next:" not in told.out, "the commands are for the system that runs here"
    assert await states("uninstall", "--systemd", "--root", tmp_path) == ["kept", "removed", "removed", "removed"]
    assert unit.read_text().endswith("# mine\n")
    assert dropin.read_text() == "[Service]\nNice=5\n"


async def test_units_of_a_package_are_not_hidden_by_others(tmp_path: Path) -> None:
    install = ("install", "--systemd", "--root", tmp_path, "--program", "/usr/bin/upkeeper")
    assert await states(*install, "--vendor") == ["new"] * 4
    done = await invoke(*install)
    assert done.status == 2
    assert "usr/lib/systemd/system/upkeeper-exporter.service is there already, from a package" in done.err
    assert not (tmp_path / "etc").exists()


async def test_a_program_that_no_unit_can_name_is_refused(tmp_path: Path) -> None:
    for program in ("upkeeper", "/opt/100%/upkeeper", '/opt/"x"/upkeeper', "/opt/$x", "/x\nExecStartPre=/bin/sh"):
        done = await invoke("install", "--systemd", "--root", tmp_path, "--program", program)
        assert done.status == 2
        assert "must be an absolute path without quotes, % and $" in done.err
    done = await invoke("install", "--root", tmp_path)
    assert done.status == 2
    assert "--systemd" in done.err
