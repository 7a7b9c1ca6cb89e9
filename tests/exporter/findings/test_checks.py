"""What each check of Compose files says of one service."""

from pathlib import Path

import pytest

from exporter.findings.check import Check
from exporter.findings.checks.health_checks import HealthChecks
from exporter.findings.checks.images import Images
from exporter.findings.checks.limits import Limits
from exporter.findings.checks.log_limits import LogLimits
from exporter.findings.checks.placeholders import Placeholders
from exporter.findings.checks.plain_secrets import PlainSecrets
from exporter.findings.checks.privileges import Privileges
from exporter.findings.checks.published_ports import PublishedPorts
from exporter.findings.checks.registry import all_checks
from exporter.findings.checks.restart_policies import RestartPolicies
from exporter.findings.checks.volumes import Volumes
from exporter.findings.files import TextFile
from exporter.findings.finding import word
from exporter.findings.gather import Gatherer
from exporter.findings.inputs import DaemonLogs, Inputs
from exporter.inventory.audit import Configuration
from exporter.inventory.checks import CHECKS
from tests.exporter.findings.inputs import found, load, project, write

WELL: list[str] = []
WARNING, CRITICAL, INFO = ["warning"], ["critical"], ["info"]

CASES: list[tuple[Check, str, list[str]]] = [
    (Images(), "image: nginx", WARNING),
    (Images(), "image: nginx:latest", WARNING),
    (Images(), "image: example.org:5000/nginx", WARNING),
    (Images(), "image: example.org:5000/nginx:1.27", WELL),
    (Images(), "image: nginx:1.27-alpine", WELL),
    *((Images(), f"image: nginx:{tag}", INFO) for tag in (
        "stable-alpine", "latest-alpine", "latest-cuda", "release", "next", "canary", "mainline", "alpine", "trunk",
        "main", "bookworm", "lts", "LTS-slim",
    )),
    *((Images(), f"image: nginx:{tag}", WELL) for tag in (
        "stable-2024.01.02", "lts-1.2.3", "main-abc1234", "nightly-2024-01-02", "v2", "16", "16-alpine",
        "RELEASE.2024-01-02",        "sha-0a1b2c3", "20240102", "2024.1_build3",
    )),
    (Images(), f"image: nginx@sha256:{'0' * 64}", WELL),
    (Images(), f"image: nginx:latest@sha256:{'0' * 64}", WELL),
    (Images(), "{build: ., image: nginx}", WELL),
    (Images(), "image: nginx:${TAG:-latest}", WARNING),
    (PublishedPorts(), 'ports: ["8080:80"]', WARNING),
    (PublishedPorts(), "ports: [80]", WARNING),
    *((PublishedPorts(), f"ports: ['{port}:{port}']", INFO) for port in (80, 443, 25, 465, 587, 110, 995, 143, 993)),
    (PublishedPorts(), "ports: ['4190:4190', '4191:4191']", ["info", "warning"]),
    (PublishedPorts(), "ports: ['443:8443/udp', '80:3306']", ["info", "critical"]),
    (PublishedPorts(), "ports: ['127.0.0.1:443:443']", WELL),
    (PublishedPorts(), 'ports: ["8080-8090:80-90/udp"]', WARNING),
    (PublishedPorts(), 'ports: ["127.0.0.1:8080:80"]', WELL),
    (PublishedPorts(), 'ports: ["[::1]:8080:80"]', WELL),
    (PublishedPorts(), 'ports: ["[::]:8080:80"]', WARNING),
    (PublishedPorts(), 'ports: ["192.0.2.1:8080:80"]', WELL),
    (PublishedPorts(), 'ports: ["0.0.0.0:16379:6379"]', CRITICAL),
    (PublishedPorts(), 'ports: ["2370-2380:2370-2380"]', CRITICAL),
    (PublishedPorts(), "ports: [{target: 5432, published: 5432, host_ip: 127.0.0.1}]", WELL),
    (PublishedPorts(), 'ports: [{target: 5432, published: "5432"}]', CRITICAL),
    (PublishedPorts(), "expose: [5432]", WELL),
    (PublishedPorts(), 'ports: ["what is this", "99999:99999", "80:80:80:80"]', WELL),
    (Limits(), "{mem_limit: 1g, cpus: 1}", WELL),
    (Limits(), "{mem_limit: 1g}", INFO),
    (Limits(), "{cpus: 1}", WARNING),
    (Limits(), "{mem_limit: 0, cpu_quota: 50000}", WARNING),
    (Limits(), 'deploy: {resources: {limits: {memory: 1g, cpus: "1"}}}', WELL),
    (Limits(), "deploy: {resources: {reservations: {memory: 1g}}}", ["warning", "info"]),
    (HealthChecks(), "healthcheck: {test: [CMD, x]}", WELL),
    (HealthChecks(), "healthcheck: {disable: true}", WARNING),
    (HealthChecks(), "healthcheck: {test: [NONE]}", WARNING),
    (HealthChecks(), "healthcheck: {test: none}", WARNING),
    (HealthChecks(), "image: x", WARNING),
    (RestartPolicies(), "restart: always", WELL),
    (RestartPolicies(), "restart: on-failure:3", WELL),
    (RestartPolicies(), 'restart: "no"', WARNING),
    (RestartPolicies(), "restart: false", WARNING),
    (RestartPolicies(), "deploy: {restart_policy: {condition: any}}", WELL),
    (RestartPolicies(), "deploy: {restart_policy: {condition: none}}", WARNING),
    (LogLimits(), "image: x", WARNING),
    (LogLimits(), "logging: {options: {max-size: 10m}}", WELL),
    (LogLimits(), 'logging: {options: {max-size: "-1"}}', WARNING),
    (LogLimits(), 'logging: {driver: json-file, options: {max-file: "3"}}', WARNING),
    (LogLimits(), "logging: {driver: journald}", WELL),
    (LogLimits(), "logging: {driver: local}", WELL),
    (Privileges(), "privileged: true", CRITICAL),
    (Privileges(), "privileged: ${YES:-true}", CRITICAL),
    (Privileges(), "privileged: false", WELL),
    (Privileges(), "cap_add: [NET_ADMIN, CAP_SYS_PTRACE, NET_BIND_SERVICE]", ["warning", "warning"]),
    (Privileges(), "cap_add: [DAC_READ_SEARCH]", CRITICAL),
    (Privileges(), "security_opt: ['seccomp:unconfined', 'apparmor=unconfined', 'no-new-privileges']", ["warning"] * 2),
    (Privileges(), "devices: ['/dev/dri:/dev/dri', '/dev/ttyUSB0']", ["info", "info"]),
    (Privileges(), "devices: ['/dev/sda:/dev/sda', {source: /dev/mem, target: /dev/mem}]", ["critical", "critical"]),
    (Privileges(), "devices: ['nvidia.com/gpu=all']", WELL),
    (Privileges(), "device_cgroup_rules: ['a *:* rwm']", CRITICAL),
    (Privileges(), "use_api_socket: true", WARNING),
    (Privileges(), "volumes: ['/run/user/1000/podman/podman.sock:/x']", WARNING),
    (Privileges(), "volumes: ['/srv/engine:/var/run/docker.sock:ro']", WARNING),
    (Privileges(), "volumes: ['${SOCKET:-/var/run/docker.sock}:/tmp/x.sock']", WARNING),
    (Privileges(), "cap_add: [CAP_SYS_ADMIN]", CRITICAL),
    (Privileges(), "cap_add: [all]", CRITICAL),
    (Privileges(), "{network_mode: host, pid: host}", ["warning", "warning"]),
    (Privileges(), "network_mode: bridge", WELL),
    (Privileges(), 'volumes: ["/run/docker.sock:/var/run/docker.sock"]', WARNING),
    (Privileges(), "volumes: [{type: bind, source: /var/run/docker.sock, target: /x, read_only: true}]", WARNING),
    (Privileges(), 'volumes: ["/:/host:ro"]', WARNING),
    (Privileges(), 'volumes: ["/etc/localtime:/etc/localtime:ro", "data:/etc"]', WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD: hunter2-hunter2}", WARNING),
    (PlainSecrets(), "environment: [API_KEY=hunter2-hunter2]", WARNING),
    (PlainSecrets(), "environment: {DB_PASSWORD: '${DB_PASSWORD}'}", WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD: '${DB_PASSWORD:-hunter2-hunter2}'}", WARNING),
    (PlainSecrets(), "environment: {DB_PASSWORD: '${HOME:-hunter2-hunter2}', A_TOKEN: 'x-${HOME}'}", WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD: '${DB_PASSWORD:?hunter2-hunter2}'}", WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD: '${DB_PASSWORD:-}', TOKEN: '${TOKEN:-${OTHER}}'}", WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD: hunter2$$hunter2}", WARNING),
    (PlainSecrets(), "environment: {DB_PASSWORD: , API_KEY: ''}", WELL),
    (PlainSecrets(), "environment: [DB_PASSWORD]", WELL),
    (PlainSecrets(), "environment: {DB_PASSWORD_FILE: /run/secrets/db, TOKEN_TTL: 3600}", WELL),
    (PlainSecrets(), "environment: {NEO4J_AUTH: none, N8N_BASIC_AUTH: 'true', MAX_TOKENS: 4096}", WELL),
    (PlainSecrets(), "environment: {URL: 'amqp://guest:hunter2-hunter2@mq:5672'}", WARNING),
    (PlainSecrets(), "environment: {URL: 'amqp://guest:${PASS}@mq:5672', X: 'http://host:80/a@b'}", WELL),
    (PlainSecrets(), "environment: {URL: '${URL:-amqp://x:hunter2@mq}', HOME: '${HOME:-x://a:b@c}'}", WARNING),
    (PlainSecrets(), "build: {context: ., args: [NPM_TOKEN=hunter2-hunter2]}", WARNING),
    (Volumes(), "image: postgres:16", INFO),
    (Volumes(), '{image: "example.org/x/postgres:16", volumes: ["data:/var/lib/postgresql/data"]}', WELL),
    (Volumes(), '{image: "neo4j:5", volumes: ["/data"]}', INFO),
    (Volumes(), '{image: "neo4j:5", volumes: ["./data:/data", "/logs"]}', INFO),
    (Volumes(), '{image: "neo4j:5", volumes: [{type: volume, target: /data}]}', INFO),
    (Volumes(), '{image: "nginx:1", volumes: ["/cache"]}', WELL),
]  # fmt: skip


@pytest.mark.parametrize(("check", "service", "severities"), CASES, ids=lambda part: getattr(part, "name", None))
def test_a_service(check: Check, service: str, severities: list[str], tmp_path: Path) -> None:
    body = service if service.startswith("{") else f"\n    {service}"
    findings = found(check, project(tmp_path, f"services:\n  web: {body}\n"))
    assert [finding.severity for finding in findings] == severities
    for finding in findings:
        assert finding.check == check.name
        assert finding.subject == "web"
        assert finding.place.line in (2, 3)
        assert "hunter2" not in repr(finding)
        assert not finding.message.endswith(".")


@pytest.mark.parametrize(
    ("port", "remedy"),
    [
        ('"15432:5432"', "127.0.0.1:15432:5432"),
        ("{target: 5432, published: '15432'}", "127.0.0.1:15432:5432"),
        ('"0.0.0.0:8000-8010:80-90"', "127.0.0.1:8000-8010:80-90"),
        ("5432", "127.0.0.1:5432:5432"),
    ],
)
def test_the_remedy_for_an_open_port_keeps_its_number_on_the_host(port: str, remedy: str, tmp_path: Path) -> None:
    [finding] = found(PublishedPorts(), project(tmp_path, f"services: {{web: {{ports: [{port}]}}}}"))
    assert f"as in {remedy}" in finding.remedy


@pytest.mark.parametrize("check", [HealthChecks(), RestartPolicies(), Limits()])
def test_a_service_that_is_meant_to_end_is_left_out(check: Check, tmp_path: Path) -> None:
    compose = """
services:
  first: {image: x}
  ollama-pull-llama: {image: x, restart: "no"}
  db_migrations: {image: x, restart: on-failure}
  models: {image: x, entrypoint: /bin/sh, command: [-c, "sleep 3; ollama pull llama3"]}
  web:
    image: x
    depends_on: {first: {condition: service_completed_successfully}}
  init-proxy: {image: x, restart: always, mem_limit: 1g, cpus: 1, healthcheck: {test: "true"}}
"""
    assert {finding.subject for finding in found(check, project(tmp_path, compose))} == {"web"}


@pytest.mark.parametrize(
    ("daemon", "logging", "limited"),
    [
        ('{"log-opts": {"max-size": "10m"}}', "", True),
        ('{"log-opts": {"max-size": "10m"}}', "logging: {driver: json-file}", True),
        ('{"log-driver": "local"}', "", True),
        ('{"log-driver": "local"}', "logging: {driver: json-file}", False),
        ('{"log-driver": "journald", "log-opts": {"max-size": "10m"}}', "logging: {driver: json-file}", False),
        ('{"log-opts": {"max-file": "3"}}', "", False),
        ("{}", "", False),
        ("[]", "", False),
        ('{"log-opts": 7}', "", False),
        ("not JSON", "", False),
        (None, "", False),
    ],
)
async def test_the_daemons_own_log_limits(daemon: str | None, logging: str, limited: bool, tmp_path: Path) -> None:
    project(tmp_path, f"services:\n  web:\n    image: x\n    {logging}\n")
    if daemon is not None:
        (tmp_path / "daemon.json").write_text(daemon)
    settings = Configuration(compose_files=[f"{tmp_path}/compose.yaml"])
    inputs = await Gatherer(settings, daemon_file=f"{tmp_path}/daemon.json").gather(60)
    assert (list(LogLimits().find(inputs)) == []) == limited


def text(data: bytes) -> Inputs:
    return Inputs(texts=[TextFile("/srv/.env", data, 0, 0, 0, (0, 0, 0, 0))])


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        (b"POSTGRES_PASSWORD=CHANGE_ME_postgres", "critical"),
        (b"  N8N_ENCRYPTION_KEY: 'changeme'", "critical"),
        (b"- API_KEY=your-api-key-here", "critical"),
        (b'"jwt_secret": "REPLACE_WITH_SECRET",', "critical"),
        (b"export HOST=<your host>", "warning"),
        (b"CHANGE_ME_", "warning"),
        (b"HOST=insert-your-host", "warning"),
        (b"# PASSWORD=CHANGE_ME", None),
        (b"// CHANGE_ME", None),
        (b"HOST=exchange.mediocre.example.org", None),
        (b"PASSWORD=hunter2", None),
        (b"key: yourself", None),
        (b"QUEUE=exchange_messages", None),
        (b"A=interchange-meta", None),
        (b"PASSWORD=hunter2 # CHANGE_ME", None),
        (b"PASSWORD='x # changeme'", "critical"),
        *(
            (b"ADMIN_PASSWORD=" + value, "critical")
            for value in (
                b"changePassword",
                b"changeit",
                b"please_change",
                b"yourpassword",
                b"sk-proj-xxxxxxxx",
                b"CHANGEME123",
                b"this_password_is_insecure_and_should_be_updated",
                b"your-super-secret-and-long-password",
            )
        ),
        (b"SITE_URL=https://your-domain.example.com", "warning"),
    ],
)
def test_placeholders(line: bytes, severity: str | None) -> None:
    findings = list(Placeholders(Configuration().placeholder_patterns).find(text(b"x=1\n" + line + b"\n")))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert all(finding.place.line == 2 for finding in findings)


IN_FORCE = """
services:
  web:
    image: x
    environment:
      SET_PASSWORD: ${SET_PASSWORD:-changeme}      # CHANGE_ME
      OPEN_PASSWORD: ${OPEN_PASSWORD:-changeme}
      NEEDED_PASSWORD: ${NEEDED_PASSWORD:?CHANGE_ME}
      OF_ENV: ${ENV_PASSWORD}
      GONE: changeme
      TWICE_PASSWORD: changeme
    env_file: web.env
    command: |
      # changeme
      run --with "nothing"
"""


def test_placeholders_count_where_they_are_in_force(tmp_path: Path) -> None:
    env = "SET_PASSWORD=x\nNEEDED_PASSWORD=y\n# changeme\nENV_PASSWORD=changeme # changeme\nA=b # changeme\n"
    override = "services: {web: {environment: {GONE: real}}}"
    loaded = project(
        tmp_path,
        IN_FORCE,
        __env=f"ENV_PASSWORD=changeme\n{env}",
        web__env="TWICE_PASSWORD=changeme\nB_TOKEN=changeit\n",
    )
    write(tmp_path, {"override.yaml": override})
    loaded = load(tmp_path, "compose.yaml", "override.yaml")
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()), texts=list(loaded.read.values()))
    check = Placeholders(Configuration().placeholder_patterns)
    assert sorted((Path(one.place.file).name, one.place.line, one.subject) for one in check.find(inputs)) == [
        (".env", 5, "ENV_PASSWORD"),
        ("compose.yaml", 7, "OPEN_PASSWORD"),
        ("compose.yaml", 11, "TWICE_PASSWORD"),
        ("web.env", 2, "B_TOKEN"),
    ]


@pytest.mark.parametrize("check", [PlainSecrets(), Placeholders(["hunter2"])])
def test_a_line_that_is_part_of_many_services_counts_once(check: Check, tmp_path: Path) -> None:
    compose = "x-env: &env\n  DB_PASSWORD: hunter2-hunter2\nservices:\n" + "".join(
        f"  s{at}: {{image: x, environment: {{<<: *env, A: b}}}}\n" for at in range(9)
    )
    loaded = project(tmp_path, compose)
    inputs = Inputs(projects=[loaded], texts=list(loaded.read.values()))
    assert [finding.place.line for finding in check.find(inputs)] == [2]


def test_placeholders_of_ones_own() -> None:
    check = Placeholders(["TBD", "(?i)fixme"])
    assert [finding.place.line for finding in check.find(text(b"a=TBD\nb=tbd\nc=FixMe\nd=CHANGE_ME\n"))] == [1, 3]
    assert list(Placeholders([]).find(text(b"CHANGE_ME"))) == []


def test_a_file_full_of_placeholders_is_not_listed_at_any_length() -> None:
    findings = list(Placeholders(["CHANGE_ME"]).find(text(b"A=CHANGE_ME\n" * 50_000)))
    assert len(findings) == 100


def test_an_odd_name_is_shown_harmlessly() -> None:
    assert word("web-1") == "web-1"
    assert word("a b\n\x1b[31m") == r"'a b\n\x1b[31m'"
    assert len(word("x" * 1000)) == 60


def test_every_check_has_a_name_that_the_config_knows() -> None:
    names = [check.name for check in all_checks([])]
    by_programs = {"compose-config", "prometheus-config", "prometheus-rules", "alertmanager-config"}
    assert len(names) == len(set(names))
    assert set(names) | by_programs == set(CHECKS)
    assert DaemonLogs().driver == "json-file"


def long_texts() -> dict[str, str]:
    """Compose files of a megabyte that take a careless reader minutes: each would be quadratic."""
    names = "".join(f"    k{'x' * 30}{at}: 1\n" for at in range(8_000))
    volumes = "".join(f"      - v{at}:/v{at}\n" for at in range(8_000))
    declared = "".join(f"  v{at}:\n" for at in range(8_000))
    return {
        "letters": f"services:\n  a:\n    image: x\n    environment: {{A: {'a' * 900_000}}}\n",
        "slashes": f"services:\n  a:\n    image: x\n    environment: {{A: '{'://a:' * 180_000}'}}\n",
        "braces": f"services:\n  a:\n    image: x\n    environment: {{PASSWORD: '{'$${A:-' * 150_000}'}}\n",
        "long key": f"services:\n  a:\n    image: x\n    ? {'k' * 900_000}\n    : 1\n",
        "keys": f"services:\n  a:\n    image: x\n{names}",
        "volumes": f"services:\n  a:\n    image: x\n    volumes:\n{volumes}volumes:\n{declared}",
    }


@pytest.mark.parametrize("name", long_texts())
def test_long_texts_are_over_soon(name: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, long_texts()[name])
    texts = list(loaded.read.values())
    inputs = Inputs(projects=[loaded], texts=texts, present=frozenset({"project", "text"}))
    findings = [finding for check in all_checks(Configuration().placeholder_patterns) for finding in check.find(inputs)]
    assert findings
    assert max(len(finding.message) + len(finding.remedy) for finding in findings) < 400
