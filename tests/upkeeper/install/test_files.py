"""What is written is told from what a person has changed."""

from pathlib import Path

from upkeeper.install.files import Outcome, is_ours, marked, remove, write

PATH = "/etc/systemd/system/some.service"
OLD, NEW = (marked(f"[Service]\nExecStart={program}\n", "0.1", "Advice.") for program in ("/a", "/b"))


def test_what_nobody_changed_is_replaced_and_removed(tmp_path: Path) -> None:
    file = tmp_path / PATH[1:]
    assert write(tmp_path, {PATH: OLD}, dry_run=True) == [Outcome(PATH, "new")]
    assert not file.exists()
    assert write(tmp_path, {PATH: OLD}) == [Outcome(PATH, "new")]
    assert write(tmp_path, {PATH: OLD}) == [Outcome(PATH, "same")]
    assert write(tmp_path, {PATH: NEW}, dry_run=True) == [Outcome(PATH, "changed")]
    assert file.read_text() == OLD
    assert write(tmp_path, {PATH: NEW}) == [Outcome(PATH, "changed")]
    assert file.read_text() == NEW
    assert file.stat().st_mode & 0o777 == 0o644
    assert remove(tmp_path, [PATH], dry_run=True) == [Outcome(PATH, "removed")]
    assert file.exists()
    assert remove(tmp_path, [PATH]) == [Outcome(PATH, "removed")]
    assert not file.exists()
    assert remove(tmp_path, [PATH]) == [Outcome(PATH, "absent")]


def test_what_a_person_changed_or_made_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / PATH[1:]
    file.parent.mkdir(parents=True)
    for changed in (OLD.replace("/a", "/c"), OLD + "# mine\n", "[Service]\n", "", "\n" + OLD):
        file.write_text(changed)
        assert write(tmp_path, {PATH: NEW}) == [Outcome(PATH, "kept")]
        assert remove(tmp_path, [PATH]) == [Outcome(PATH, "kept")]
        assert file.read_text() == changed
    assert write(tmp_path, {PATH: NEW}, force=True) == [Outcome(PATH, "changed")]
    assert file.read_text() == NEW
    assert file.with_name("some.service.upkeeper-old").read_text() == "\n" + OLD


def test_a_masked_unit_stays_masked(tmp_path: Path) -> None:
    file = tmp_path / PATH[1:]
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/null")
    assert write(tmp_path, {PATH: NEW}) == [Outcome(PATH, "kept")]
    assert remove(tmp_path, [PATH]) == [Outcome(PATH, "kept")]
    assert file.is_symlink()


def test_the_mark_of_each_version_is_known() -> None:
    assert is_ours(marked("x\n", "9.9.9.dev1", "Anything."))
    assert not is_ours("x\n")
