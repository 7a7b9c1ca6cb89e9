"""Compose projects of several files, their circles, and files made to break readers."""

from pathlib import Path

import pytest

from exporter.findings.checks.compose_valid import ComposeValid
from exporter.findings.compose_service import ports
from exporter.findings.project import Invocation, Project
from tests.compose import judges, require_compose
from tests.exporter.findings.inputs import SECRET, found, load, project, write


def messages(loaded: Project) -> list[str]:
    return [finding.message for finding in found(ComposeValid(), loaded)]


def text(loaded: Project, service: str, *path: str) -> str:
    node = loaded.services[service].at(*path)
    assert node is not None
    return node.text


def test_files_are_laid_over_each_other(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": """
services:
  web:
    image: web:1
    command: [one, two]
    ports: ["80:80", "81:81"]
    volumes: ["data:/data", "/log"]
    environment: [A=1, B=1]
    labels: {x: "1"}
    dns: [1.1.1.1]
  gone: {image: "gone:1"}
volumes: {data: {}, fast: {}}
""",
            "b.yaml": """
services:
  web:
    command: [three]
    ports: ["80:80", "82:82"]
    volumes: ["fast:/data"]
    environment: {B: 2, C: 3}
    labels: [y=2]
    dns: [8.8.8.8]
  gone: !reset null
  new: {image: "new:1"}
""",
        },
    )
    loaded = load(tmp_path, "a.yaml", "b.yaml")
    assert messages(loaded) == []
    assert set(loaded.services) == {"web", "new"}
    web = loaded.services["web"]
    assert [str(port) for port in ports(web)] == ["80", "81", "82"]
    assert {key: node.text for key, node in web.value["environment"].value.items()} == {"A": "1", "B": "2", "C": "3"}
    assert {key: node.text for key, node in web.value["labels"].value.items()} == {"x": "1", "y": "2"}
    assert [node.text for node in web.value["command"].items] == ["three"]
    assert [node.text for node in web.value["volumes"].items] == ["fast:/data", "/log"]
    assert [node.text for node in web.value["dns"].items] == ["1.1.1.1", "8.8.8.8"]
    assert Path(web.value["image"].place.file).name == "a.yaml", "each part knows where it is from"


def test_override_replaces(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": 'services: {web: {image: "a:1", ports: ["80:80"], environment: {A: 1}}}',
            "b.yaml": 'services: {web: {ports: !override ["127.0.0.1:80:80"], environment: {A: !reset null}}}',
        },
    )
    web = load(tmp_path, "a.yaml", "b.yaml").services["web"]
    assert [port.host_ip for port in ports(web)] == ["127.0.0.1"]
    assert web.value["environment"].value == {}


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["compose.yaml"], ["compose.yaml", "compose.override.yml"]),
        (["docker-compose.yml"], ["docker-compose.yml", "compose.override.yml"]),
        (["stack.yaml"], ["stack.yaml"]),
        (["compose.yaml", "b.yaml"], ["compose.yaml", "b.yaml"]),
    ],
)
def test_the_override_file_beside_a_default_name_is_taken(files: list[str], taken: list[str]) -> None:
    given = Invocation(tuple(f"/srv/{name}" for name in files))
    found_files = given.with_override(lambda path: path == "/srv/compose.override.yml").files
    assert list(found_files) == [f"/srv/{name}" for name in taken]


def test_include_has_its_own_directory_and_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
include:
  - db/compose.yaml
  - {path: [x/a.yaml, x/b.yaml], project_directory: x, env_file: [x/some.env, x/more.env]}
services:
  web: {image: "web:${TAG}", depends_on: [db, x]}
""",
            ".env": "TAG=outer\n",
            "db/compose.yaml": 'services: {db: {image: "db:${TAG}-${OWN}", env_file: [db.env]}}',
            "db/.env": "TAG=inner\nOWN=own\n",
            "db/db.env": "PASSWORD=hunter2-hunter2\n",
            "x/a.yaml": 'services: {x: {image: "x:${SOME}-${MORE}"}}',
            "x/b.yaml": "services: {x: {mem_limit: 1g}}",
            "x/some.env": "SOME=some\nMORE=some\n",
            "x/more.env": "MORE=more\n",
        },
    )
    loaded = load(tmp_path)
    assert (messages(loaded), loaded.unread) == ([], [])
    assert text(loaded, "web", "image") == "web:outer"
    assert text(loaded, "db", "image") == "db:outer-own", "the variables of the outer project win"
    assert (text(loaded, "x", "image"), text(loaded, "x", "mem_limit")) == ("x:some-more", "1g")
    names = {str(Path(path).relative_to(tmp_path)) for path in loaded.env_files}
    assert names == {".env", "db/.env", "db/db.env", "x/some.env", "x/more.env"}


def test_extends(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
services:
  a: {extends: b, environment: {A: a}}
  b: {extends: {file: sub/base.yaml, service: base}, environment: {A: b, B: b}}
""",
            "sub/base.yaml": """
services:
  base: {extends: {service: lowest}, mem_limit: 1g}
  lowest: {image: "base:1", environment: [A=low, C=low]}
""",
        },
    )
    loaded = load(tmp_path)
    assert messages(loaded) == []
    assert set(loaded.services) == {"a", "b"}
    assert {key: node.text for key, node in loaded.services["a"].value["environment"].value.items()} == {
        "A": "a",
        "B": "b",
        "C": "low",
    }
    assert (text(loaded, "a", "image"), text(loaded, "a", "mem_limit")) == ("base:1", "1g")


ELSEWHERE = {
    "compose.yaml": """
include: [sub/inc.yaml]
services:
  web: {extends: {file: common/base.yaml, service: base}}
""",
    "common/base.yaml": """
services:
  base: {extends: {file: deep/lowest.yaml, service: lowest}, env_file: ./base.env}
""",
    "common/base.env": "A=1\n",
    "common/deep/lowest.yaml": "services: {lowest: {image: x, env_file: [{path: low.env}]}}",
    "common/deep/low.env": "B=1\n",
    "sub/inc.yaml": """
services:
  db: {image: y, env_file: db.env, secrets: [pw], configs: [conf]}
secrets: {pw: {file: ./pw.txt}}
configs: {conf: {file: ./db.conf}}
""",
    "sub/db.env": "C=1\n",
    "sub/pw.txt": "x",
    "sub/db.conf": "x",
}


def test_paths_are_relative_to_the_file_that_says_them(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE)
    loaded = load(tmp_path)
    assert (messages(loaded), loaded.unread) == ([], [])
    assert {str(Path(path).relative_to(tmp_path)) for path in loaded.env_files} == {
        "common/base.env",
        "common/deep/low.env",
        "sub/db.env",
    }
    for section, name, path in (("secrets", "pw", "sub/pw.txt"), ("configs", "conf", "sub/db.conf")):
        node = loaded.top[section].at(name, "file")
        assert node is not None
        assert node.text == f"{tmp_path}/{path}"


@pytest.mark.servers
def test_the_real_compose_finds_them_in_the_same_places(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE)
    for compose in require_compose():
        assert compose.environments(tmp_path) == {"web": {"A": "1", "B": "1"}, "db": {"C": "1"}}
        judged = compose.config(tmp_path, "-q")
        assert not judged.refused, judged.complaint


def test_documents_of_one_file_are_laid_over_each_other(tmp_path: Path) -> None:
    loaded = project(
        tmp_path, "services: {a: {image: x, mem_limit: 1g}}\n---\nservices: {a: {image: y}, b: {image: z}}\n"
    )
    assert messages(loaded) == []
    assert (text(loaded, "a", "image"), text(loaded, "a", "mem_limit")) == ("y", "1g")
    assert set(loaded.services) == {"a", "b"}
    for compose in require_compose():
        assert not compose.config(tmp_path, "-q").refused


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        """
x-base: &base
  image: base:1
  environment: &env {A: 1}
services:
  web:
    <<: *base
    environment: {<<: *env, B: 2}
""",
    )
    assert messages(loaded) == []
    assert text(loaded, "web", "environment", "A") == "1"
    assert text(loaded, "web", "image") == "base:1"


CIRCLES = {
    "a service of itself": ({"compose.yaml": "services: {a: {image: x, extends: a}}"}, "`extends` is circular"),
    "two services": (
        {"compose.yaml": "services: {a: {extends: b, image: x}, b: {extends: a}}"},
        "`extends` is circular",
    ),
    "two files": (
        {
            "compose.yaml": "services: {a: {extends: {file: b.yaml, service: b}}}",
            "b.yaml": "services: {b: {extends: {file: compose.yaml, service: a}}}",
        },
        "`extends` is circular",
    ),
    "include of itself": ({"compose.yaml": "include: [compose.yaml]\nservices: {}"}, "`include` is circular"),
    "includes of each other": (
        {"compose.yaml": "include: [sub/b.yaml]\nservices: {}", "sub/b.yaml": "include: [../compose.yaml]"},
        "`include` is circular",
    ),
    "no such service": (
        {"compose.yaml": "services: {a: {extends: b}}"},
        "`extends` names b, which is not a service of ",
    ),
    "no such file": ({"compose.yaml": "include: [gone.yaml]\nservices: {a: {image: x}}"}, "gone.yaml that it names"),
    "no such file to extend": (
        {"compose.yaml": "services: {a: {extends: {file: gone.yaml, service: a}}}"},
        "gone.yaml that it names",
    ),
    "an env file that is not there": (
        {"compose.yaml": "services: {a: {image: x, env_file: gone.env}}"},
        "gone.env that it names",
    ),
    "an alias of itself": ({"compose.yaml": "services: &a {a: {image: x, labels: *a}}"}, "an alias refers to"),
    "tabs": ({"compose.yaml": "services:\n\ta: {}\n"}, "not YAML"),
    "a list": ({"compose.yaml": "- services\n"}, "the file must hold a mapping"),
    "a service that is none": ({"compose.yaml": "services: {a: text}"}, "the service a must be a mapping"),
    "a list of services": ({"compose.yaml": "services: [a]"}, "`services` must be a mapping"),
    "no services": ({"compose.yaml": "volumes: {a: {}}"}, "it has no services"),
    "nothing": ({"compose.yaml": ""}, "it has no services"),
    "a key twice": ({"compose.yaml": "services: {a: {image: x, image: y}}"}, "duplicate key"),
    "a reference without an end": (
        {"compose.yaml": 'services: {a: {image: "${X"}}'},
        "a reference that begins with ${",
    ),
    "latin-1": ({"compose.yaml": "services: {a: {image: x}} # \udce9"}, "the file is not UTF-8 text"),
}


@pytest.mark.parametrize("name", CIRCLES)
def test_what_compose_would_stumble_over(name: str, tmp_path: Path) -> None:
    files, message = CIRCLES[name]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content.encode("utf-8", "surrogateescape"))
    findings = found(ComposeValid(), load(tmp_path))
    assert any(message in finding.message and finding.severity == "critical" for finding in findings), findings


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        """
services:
  web:
    image: web:1
    imagee: web:1
    depends_on: {db: {condition: service_started}}
    networks: [front, default]
    volumes: ["data:/data", "./here:/here", "/there:/there"]
    secrets: [token]
    configs: [{source: settings, target: /etc/settings}]
  none: {command: "true"}
""",
    )
    assert sorted(messages(loaded)) == [
        "imagee is not a key of a service",
        "none has neither an image nor a build",
        "web names the config settings, which does not exist",
        "web names the network front, which does not exist",
        "web names the secret token, which does not exist",
        "web names the service db, which does not exist",
        "web names the volume data, which does not exist",
    ]
    remedy = next(one.remedy for one in found(ComposeValid(), loaded) if "imagee" in one.message)
    assert remedy == "did you mean image?"


def test_keys_of_another_shape(tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        """
services:
  web:
    image: [web]
    ports: "80:80"
    healthcheck: curl
    environment: A=1
    depends_on: db
    logging:
    volumes: {a: b}
""",
    )
    assert sorted(messages(loaded)) == [
        "`depends_on` of web must be a list or a mapping",
        "`environment` of web must be a list or a mapping",
        "`healthcheck` of web must be a mapping",
        "`image` of web must be text",
        "`logging` of web is empty",
        "`ports` of web must be a list",
        "`volumes` of web must be a list",
    ]


def test_what_is_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        """
include: ["https://example.org/compose.yaml", "oci://example.org/x"]
services:
  a: {image: "x:1", extends: {file: "git@example.org:x.git", service: b}, depends_on: [there]}
""",
    )
    assert messages(loaded) == [], "what it depends on may be there"
    assert len(loaded.unread) == 3
    assert all("not on this machine" in reason for reason in loaded.unread)
    assert set(loaded.services) == {"a"}


def bombs() -> dict[str, str]:
    """Unbounded, each would take hours or all memory."""
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 12)
    )
    wide = ", ".join(f'"v{at}:/v{at}"' for at in range(5000))
    extends = f'services:\n  b: {{image: "x:1", volumes: [{wide}]}}\n' + "".join(
        f'  s{at}: {{extends: b, volumes: ["x:/x"]}}\n' for at in range(3000)
    )
    return {
        "aliases": laughs + "services: {a: {image: x}}\n",
        "depth": "services: " + "{a: " * 5000 + "1" + "}" * 5000,
        "flow": "[" * 100_000,
        "extends": extends,
        "quotes": 'services: {a: {image: "' + "x" * 500_000,
        "references": "services: {a: {image: '" + "${A:-" * 100_000 + "'}}",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs())
def test_files_made_to_break_readers(name: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, bombs()[name])
    assert messages(loaded)


def test_includes_that_double(tmp_path: Path) -> None:
    for at in range(40):
        write(tmp_path, {f"{at}.yaml": f"include: [{at + 1}.yaml, {at + 1}.yaml]\nservices: {{}}\n"})
    write(tmp_path, {"40.yaml": "services: {a: {image: x}}"})
    loaded = load(tmp_path, "0.yaml")
    assert any("there are too many includes" in reason for reason in loaded.unread)


def test_a_directory_that_leads_into_itself(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(".")
    loaded = project(tmp_path, "include: [x/compose.yaml]\nservices: {a: {image: x}}")
    assert any("Too many levels of symbolic links" in reason for reason in loaded.unread)


def test_a_long_variable_that_is_used_often(tmp_path: Path) -> None:
    uses = ", ".join(f"L{at}: $A." for at in range(2000))
    loaded = project(tmp_path, f"services: {{a: {{image: x, labels: {{{uses}}}}}}}", __env=f"A={'x' * 500_000}\n")
    assert "its variables make the file grow too long" in messages(loaded)


@pytest.mark.parametrize(
    "compose",
    [
        f"services:\n  a: {SECRET}\n",
        f"services:\n  a: {{image: x, environment: {{P: {SECRET}, P: {SECRET}}}}}\n",
        f"services:\n  a: {{environment: {{P: !tag {SECRET}}}}}\n",
        f"services:\n  a: {{environment: {{P: *{SECRET}}}}}\n",
        f"services:\n  a: {{environment: {{P: '{SECRET}}}}}\n",
        f'services:\n  a: {{environment: {{P: "${{X:-{SECRET}"}}}}\n',
        f'services:\n  a: {{image: x, environment: {{P: "{SECRET}\\ud800"}}}}\n',
        f"services:\n  a: {{environment:\n    P: {SECRET}\n   Q: x}}\n",
    ],
)
def test_no_complaint_quotes_a_value(compose: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, compose)
    findings = found(ComposeValid(), loaded)
    assert findings
    assert SECRET not in repr(findings) + repr(loaded.unread) + repr(loaded)


def test_what_every_shell_has_is_set(tmp_path: Path) -> None:
    loaded = project(tmp_path, "services: {a: {image: x, volumes: ['${PWD}/a:/a', '$HOME/b:/b', '${UID}:/c']}}")
    assert [each.use.name for each in loaded.uses if not each.use.satisfied] == ["UID"]


ONE_DB, OTHER_DB = 'services: {db: {image: "a:1"}}', 'services: {db: {image: "b:1"}}'
TWO = 'include: [a.yaml, b.yaml]\nservices: {x: {image: "x:1"}}'
INCLUDED_TWICE: dict[str, tuple[dict[str, str], str]] = {
    "by two files": ({"compose.yaml": TWO, "a.yaml": ONE_DB, "b.yaml": OTHER_DB}, "the service db is also defined at "),
    "and by itself": (
        {"compose.yaml": f"include: [a.yaml]\n{OTHER_DB}", "a.yaml": ONE_DB},
        "the service db is also defined at ",
    ),
    "a volume": (
        {
            "compose.yaml": TWO,
            "a.yaml": 'services: {a: {image: "a:1", volumes: ["v:/v"]}}\nvolumes: {v: {labels: {a: "1"}}}',
            "b.yaml": 'services: {b: {image: "b:1", volumes: ["v:/v"]}}\nvolumes: {v: {}}',
        },
        "the volume v is also defined at ",
    ),
    "alike": ({"compose.yaml": TWO, "a.yaml": ONE_DB, "b.yaml": ONE_DB}, ""),
    "by way of two": (
        {
            "compose.yaml": TWO,
            "a.yaml": 'include: [c.yaml]\nservices: {a: {image: "a:1"}}',
            "b.yaml": 'include: [c.yaml]\nservices: {b: {image: "a:1"}}',
            "c.yaml": ONE_DB,
        },
        "",
    ),
    "laid over each other": (
        {
            "compose.yaml": TWO.replace("[a.yaml, b.yaml]", "[{path: [a.yaml, b.yaml]}]"),
            "a.yaml": ONE_DB,
            "b.yaml": OTHER_DB,
        },
        "",
    ),
}


@pytest.mark.parametrize("name", INCLUDED_TWICE)
def test_what_two_included_files_define(name: str, tmp_path: Path) -> None:
    """Compose 2 refuses it unless both are the same; Compose 5 takes one of them."""
    files, message = INCLUDED_TWICE[name]
    loaded = load(write(tmp_path, files))
    if message:
        assert [(one.severity, one.message[: len(message)]) for one in loaded.flaws] == [("warning", message)]
    else:
        assert loaded.flaws == []
    for compose in judges(name):
        refused = compose.config(tmp_path, "-q").refused
        assert refused == bool(message) if compose.is_2 else not refused, compose.program


TIMES = {
    "environment: {D: 2024-01-02}": True,
    "labels: {D: 2024-01-02T03:04:05Z}": True,
    "labels: {D: 2024-1-2 3:04:05.6}": True,
    "hostname: 2024-01-02": True,
    "command: [a, 2024-01-02]": True,
    "environment: {D: '2024-01-02'}": False,
    "environment: [D=2024-01-02]": False,
    "labels: {D: 2024-13-02}": False,
    "labels: {D: 2024-01-02T03:04:05}": False,
    "labels: {D: 2024-01-02 03:04:05 Z}": False,
    "x-made: 2024-01-02": False,
}


@pytest.mark.parametrize("line", TIMES)
def test_times_without_quotes(line: str, tmp_path: Path) -> None:
    """Compose 2 refuses them; Compose 5 refuses, panics or makes ``2024-01-02 00:00:00 +0000 UTC`` of them."""
    loaded = project(tmp_path, f'services:\n  a:\n    image: "x:1"\n    {line}\n')
    findings = found(ComposeValid(), loaded)
    assert [one.severity for one in findings] == ["critical"] * TIMES[line], findings
    for compose in judges(line):
        refused = compose.config(tmp_path, "-q").refused
        assert refused == TIMES[line] if compose.is_2 else refused <= TIMES[line], compose.program


def test_what_an_env_file_that_cannot_be_read_may_set(tmp_path: Path) -> None:
    """Nothing is said of the variables that one after it refers to, and of those before it all."""
    (tmp_path / "one.env").mkdir()
    write(tmp_path, {"two.env": "B=${A}\nC=${A:?must be}\n"})
    text = 'services: {x: {image: "x:1", env_file: [%s]}}'
    assert project(tmp_path, text % "one.env, two.env").flaws == []
    assert [one.message for one in project(tmp_path, text % "two.env, one.env").flaws] == [
        "the value of C cannot be read: it requires A, which is not set"
    ]
