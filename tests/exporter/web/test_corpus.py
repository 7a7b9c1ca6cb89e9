"""Every web config of the corpus: the good ones can be served, the bad ones have exactly the problems they say."""

from pathlib import Path

import pytest

from exporter.configfile.problem import ConfigError, Problem
from exporter.web.findings import check
from exporter.web.load import load
from exporter.web.tls import Pem, TlsProblem, build_context
from exporter.web.web_config import WebConfig
from tests.exporter.web.corpus import BAD, GOOD, SECRET, lay
from tests.upkeeper.look.corpus import expected


def problems_of(path: Path, certificates: Path, directory: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(lay(path, certificates, directory), {})
    return caught.value.problems


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_config_has_exactly_its_problems_in_the_order_of_the_file(
    path: Path, certificates: Path, tmp_path: Path
) -> None:
    problems, wanted = problems_of(path, certificates, tmp_path), expected(path)
    assert [(problem.line, problem.key) for problem in problems] == [(each.line, each.key) for each in wanted]
    for problem, each in zip(problems, wanted, strict=True):
        assert each.fragment in f"{problem.message} ({problem.hint})"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_problem_says_where_it_is_and_no_secret(path: Path, certificates: Path, tmp_path: Path) -> None:
    text = path.read_text()
    hashes = [line.split()[-1] for line in text.splitlines() if "$2" in line and not line.startswith("#!")]
    for problem in problems_of(path, certificates, tmp_path):
        shown = str(problem)
        assert shown.startswith(f"{tmp_path / path.name}:{problem.line}: ")
        assert shown.isprintable()
        assert SECRET not in shown
        assert "PRIVATE" not in shown or "BEGIN PRIVATE KEY" in problem.hint
        assert not [hashed for hashed in hashes if hashed in shown]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_config_can_be_put_in_force(path: Path, certificates: Path, tmp_path: Path) -> None:
    settings = load(lay(path, certificates, tmp_path), {})
    assert (settings.tls is not None) == ("cert" in path.read_text())
    assert (settings.certificate is not None) == (settings.tls is not None)
    assert len(settings.users) == path.read_text().count("$2")


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(BAD) >= 40
    assert len(GOOD) >= 20


def test_dollar_signs_mean_themselves(certificates: Path, tmp_path: Path) -> None:
    [path] = [path for path in GOOD if path.stem == "headers"]
    assert load(lay(path, certificates, tmp_path), {}).headers == {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
        "X-XSS-Protection": "1",
        "Content-Security-Policy": "default-src 'self'; report-uri /$${report}",
    }


def test_the_example_of_the_how_to_can_be_served(certificates: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "web-config.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0].replace("$2b$10$...", f"$2b$10${'.' * 53}")
    for name in ("server.pem", "server.key", "ca.pem"):
        (tmp_path / name).symlink_to(certificates / name)
    (tmp_path / "web.yml").write_text(example)
    settings = load(tmp_path / "web.yml", {})
    assert settings.tls is not None
    assert (settings.users.keys(), len(settings.headers), settings.rate_limit is None) == ({b"prometheus"}, 1, False)


def test_blank_headers_are_not_sent(certificates: Path, tmp_path: Path) -> None:
    [path] = [path for path in GOOD if path.stem == "headers_left_blank"]
    assert load(lay(path, certificates, tmp_path), {}).headers == {"X-Frame-Options": "sameorigin"}


def test_a_file_that_is_not_there_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml: cannot be read: No such file.*--web\.config\.file"):
        load(tmp_path / "web.yml", {})


@pytest.mark.parametrize("value", ["500ms", "1m30s", "1.5h", "100us", ".5s"])
def test_durations_as_go_writes_them(value: str) -> None:
    config = WebConfig.model_validate({"rate_limit": {"interval": value, "burst": 1}})
    assert config.rate_limit is not None
    expected_seconds = {"500ms": 0.5, "1m30s": 90, "1.5h": 5400, "100us": 0.0001, ".5s": 0.5}
    assert config.rate_limit.interval == pytest.approx(expected_seconds[value])


def test_nothing_secret_is_in_a_repr(certificates: Path, tmp_path: Path) -> None:
    for stem in ("users", "tls_inline"):
        [path] = [path for path in GOOD if path.stem == stem]
        settings = load(lay(path, certificates, tmp_path), {})
        shown = repr(settings) + repr(settings.loaded) + repr(settings.loaded.value)
        assert "$2" not in shown
        assert "PRIVATE" not in shown


def test_problems_of_this_machine_are_warnings(certificates: Path, tmp_path: Path) -> None:
    [path] = [path for path in GOOD if path.stem == "users"]
    [clear] = check(lay(path, certificates, tmp_path))
    assert (clear.line, clear.severity, clear.key) == (1, "warning", "basic_auth_users")
    web = tmp_path / "web.yml"
    web.write_text(
        "tls_server_config: {cert_file: expired.pem, key_file: expired.key}\nhttp_server_config: {http2: true}"
    )
    (tmp_path / "expired.key").unlink()
    (tmp_path / "expired.key").write_bytes((certificates / "expired.key").read_bytes())
    expired, open_key, http2 = check(web)
    assert {one.severity for one in (expired, open_key, http2)} == {"warning"}
    assert "the certificate expired on" in expired.message
    assert "may be read by everybody" in open_key.message
    assert "HTTP/2 is not served" in http2.message


def test_a_good_file_has_no_problems(certificates: Path, tmp_path: Path) -> None:
    [path] = [path for path in GOOD if path.stem == "client_certificates"]
    assert check(lay(path, certificates, tmp_path)) == []


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_pem_cut_off_anywhere_is_an_explained_error(certificates: Path, length: int) -> None:
    """A file that is being written."""
    cert, key = (certificates / "server.pem").read_bytes(), (certificates / "server.key").read_bytes()
    config = WebConfig.model_validate({"tls_server_config": {"cert_file": "a", "key_file": "b"}})
    assert config.tls_server_config is not None
    for inputs in (Pem(cert[:length], key), Pem(cert, key[: length % 200])):
        with pytest.raises(TlsProblem):
            build_context(config.tls_server_config, inputs)
