"""Finding and reading the file: what does not depend on a key of the schema."""

from pathlib import Path

import pytest

from exporter.configfile.file import load
from exporter.configfile.find import find_config
from exporter.configfile.problem import ConfigError
from exporter.inventory.inventory import Inventory
from exporter.main import REMEDIATOR_SECTIONS
from remediator.config.config import Config
from tests.upkeeper.look.corpus import ENV, SECRET


def failure(path: Path, **options: frozenset[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, Inventory if options else Config, env=ENV, **options)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upkeeper.yml"


def test_no_file_means_the_defaults() -> None:
    loaded = load(None, Config)
    assert loaded.value == Config()
    assert loaded.path is None


def test_a_missing_file_is_an_error_that_names_it(file: Path) -> None:
    assert failure(file).startswith(f"{file}: cannot be read: No such file or directory (check the path")


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    assert failure(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    unreadable = Path("/proc/self/mem")  # for root too
    assert failure(unreadable) == f"{unreadable}: cannot be read: Input/output error"


def test_the_digest_follows_the_content(file: Path) -> None:
    file.write_text("docker: {}\n")
    first = load(file, Config).digest
    file.write_text("docker: {}\n")
    assert load(file, Config).digest == first
    file.write_text("docker: {}\n\n")
    assert load(file, Config).digest != first


def test_the_exporter_passes_over_the_sections_of_the_remediator_whatever_they_hold(file: Path) -> None:
    file.write_text(
        "docker: {cleanable_max_bytes: 1GB}\nnotify: {email: {to: '${ONLY_THE_REMEDIATOR_HAS_THIS}'}}\nremedies: 5\n"
    )
    loaded = load(file, Inventory, other_sections=REMEDIATOR_SECTIONS, env=ENV)
    assert loaded.value.docker.cleanable_max_bytes == 10**9


def test_the_exporter_refuses_a_section_that_nobody_knows_and_suggests_those_of_both(file: Path) -> None:
    file.write_text("notfy: {}\nservces: []\n")
    assert failure(file, other_sections=REMEDIATOR_SECTIONS).splitlines() == [
        f"{file}:1: notfy: unknown key (did you mean notify?)",
        f"{file}:2: servces: unknown key (did you mean services?)",
    ]


def test_the_sections_passed_over_are_all_that_the_remediator_adds() -> None:
    assert set(Config.model_fields) - set(Inventory.model_fields) == REMEDIATOR_SECTIONS


def test_a_value_from_the_environment_shows_in_no_error_whatever_its_key(file: Path) -> None:
    file.write_text("docker:\n  cleanup:\n    images_min_age: ${SECRET}\n  cleanable_max_bytes: ${SECRET}\n")
    text = failure(file)
    assert SECRET not in text
    assert text.count("docker.") == 2


def test_a_contradiction_is_told_also_of_a_value_from_the_environment_unless_that_would_show_it(file: Path) -> None:
    file.write_text(
        "notify: {email: {to: a@b, from: a@b, smarthost: 'a:25', username: '${SECRET}'}}\n"
        "logs: [{name: '${HOST}', path: /a, max_bytes: 1GB}, {name: '${HOST}', path: /b, max_bytes: 1GB}]\n"
    )
    first, second = failure(file).splitlines()
    assert "username: needs `password_file:` beside it" in first
    assert ENV["HOST"] not in second


def test_a_mistake_under_an_alias_is_told_of_each_key_but_a_duplicate_only_once(file: Path) -> None:
    file.write_text(
        "logs:\n"
        "  - {name: a, path: /a, max_bytes: 1GB, rotation: &rotation {keep_count: -1, keep_age: 1d, keep_age: 2d}}\n"
        "  - {name: b, path: /b, max_bytes: 1GB, rotation: *rotation}\n"
    )
    keys = [line.split(": ")[1] for line in failure(file).splitlines()]
    assert keys.count("logs[0].rotation.keep_count") == 1
    assert keys.count("logs[1].rotation.keep_count") == 1
    assert len([key for key in keys if key.endswith("keep_age")]) == 1


class TestFindConfig:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def test_the_option_comes_first_also_when_the_file_is_not_there(self) -> None:
        assert find_config("a.yml", {"UPKEEPER_CONFIG": "b.yml"}) == Path("a.yml")

    def test_then_the_variable(self) -> None:
        assert find_config(None, {"UPKEEPER_CONFIG": "b.yml"}) == Path("b.yml")

    def test_then_the_users_own(self, tmp_path: Path) -> None:
        own = tmp_path / "upkeeper" / "upkeeper.yml"
        own.parent.mkdir()
        own.touch()
        assert find_config(None, {"UPKEEPER_CONFIG": ""}) == own

    def test_never_one_that_happens_to_lie_in_the_current_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "upkeeper.yml").touch()
        monkeypatch.chdir(tmp_path)
        assert find_config(None, {}) in (None, Path("/etc/upkeeper/upkeeper.yml"))
