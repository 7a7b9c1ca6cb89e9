"""Finding Prometheus and Alertmanager."""

from pathlib import Path

import pytest

from remediator.model.errors import ClientError
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS, find_programs

BOTH = (PROMETHEUS, ALERTMANAGER)


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_what_is_on_path_is_found_under_either_name(tmp_path: Path) -> None:
    prometheus = program(tmp_path / "bin" / "prometheus")
    debian = program(tmp_path / "bin" / "prometheus-alertmanager")
    env = {"PATH": str(tmp_path / "bin")}
    assert find_programs(BOTH, env) == {PROMETHEUS: prometheus, ALERTMANAGER: debian}

    upstream = program(tmp_path / "bin" / "alertmanager")
    assert find_programs(BOTH, env) == {PROMETHEUS: prometheus, ALERTMANAGER: upstream}


def test_the_variables_go_before_path(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "prometheus")
    program(tmp_path / "bin" / "alertmanager")
    chosen = {
        PROMETHEUS: program(tmp_path / "my-prometheus"),
        ALERTMANAGER: program(tmp_path / "my-alertmanager"),
    }
    env = {
        "PATH": str(tmp_path / "bin"),
        "UPKEEPER_PROMETHEUS": str(chosen[PROMETHEUS]),
        "UPKEEPER_ALERTMANAGER": str(chosen[ALERTMANAGER]),
    }
    assert find_programs(BOTH, env) == chosen


def test_what_is_missing_is_named_with_what_to_install(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "prometheus")
    with pytest.raises(ClientError) as caught:
        find_programs(BOTH, {"PATH": str(tmp_path / "bin")})
    first, *advice = str(caught.value).splitlines()
    assert first == "Alertmanager not found on PATH"
    assert "On Debian and Ubuntu: apt install --no-install-recommends prometheus-alertmanager" in advice
    assert caught.value.exit_code == 2

    with pytest.raises(ClientError, match="Prometheus and Alertmanager not found") as caught:
        find_programs(BOTH, {"PATH": str(tmp_path)})
    assert "apt install --no-install-recommends prometheus prometheus-alertmanager" in str(caught.value)
    assert "--no-prometheus" in str(caught.value)


def test_a_variable_that_names_no_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    for value in (tmp_path / "text", tmp_path / "nothing", tmp_path):
        with pytest.raises(ClientError, match="UPKEEPER_PROMETHEUS"):
            find_programs(BOTH, {"PATH": "", "UPKEEPER_PROMETHEUS": str(value)})
