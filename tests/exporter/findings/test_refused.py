"""What Compose refuses without Compose being there; Compose 2 and 5 are asked whether they really do."""

from pathlib import Path

import pytest
import yaml

from exporter.findings.checks.compose_valid import ComposeValid
from exporter.findings.checks.env_files import EnvFiles
from exporter.findings.checks.images import Images
from exporter.findings.checks.unset_variables import UnsetVariables
from exporter.findings.finding import Finding
from exporter.findings.inputs import Inputs
from tests.compose import judges
from tests.exporter.findings.inputs import found, load, project, write
from tests.helpers import long_form

REFUSED = {
    "a merge key twice": """
x-a: &a {tty: true}
x-b: &b {init: true}
services:
  a:
    <<: *a
    <<: *b
    image: x
""",
    "a circle": """
services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [c]}, c: {image: x, depends_on: [a]}}
""",
    "a circle of other kinds": "services: {a: {image: x, links: [b]}, b: {image: x, network_mode: 'service:a'}}",
    "an optional one that there is not": """
services: {a: {image: x, depends_on: {b: {condition: service_started, required: false}}}}
""",
    "itself": "services: {a: {image: x, depends_on: [a]}}",
    "network of none": "services: {a: {image: x, network_mode: 'service:b'}}",
    "processes of none": "services: {a: {image: x, pid: 'service:b'}}",
    "memory of none": "services: {a: {image: x, ipc: 'service:b'}}",
    "links to none": "services: {a: {image: x, links: ['b:db']}}",
    "volumes from none": "services: {a: {image: x, volumes_from: ['b:ro']}}",
    "waits for none": "services: {a: {image: x, depends_on: {b: {condition: service_started}}}}",
    "waits for one whose profile is off": "services: {a: {image: x, depends_on: [b]}, b: {image: x, profiles: [p]}}",
    "no such condition": "services: {a: {image: x, depends_on: {b: {condition: healthy}}}, b: {image: x}}",
    "a list of mappings": "services: {a: {image: x, environment: [{A: 1}]}}",
    "a list of labels": "services: {a: {image: x, labels: [{A: 1}]}}",
    "a mapping as a value": "services: {a: {image: x, environment: {A: {B: 1}}}}",
    "an empty image": "services: {a: {image: '${IMAGE}'}}",
    "an empty source": "services: {a: {image: x, volumes: ['${DATA}:/data']}}",
    "an empty target": "services: {a: {image: x, volumes: ['/data:']}}",
    "too many colons": "services: {a: {image: x, volumes: ['/a:/b:ro:z']}}",
    "no such volume": "services: {a: {image: x, volumes: ['data:/data']}}",
    "no such volume, long": "services: {a: {image: x, volumes: [{type: volume, source: d, target: /d}]}}",
    "no such network": "services: {a: {image: x, networks: [n]}}",
    "no such secret": "services: {a: {image: x, secrets: [s]}}",
    "no such config": "services: {a: {image: x, configs: [{source: c, target: /c}]}}",
    "no such build secret": "services: {a: {build: {context: ., secrets: [s]}}}",
    "a mount and tmpfs in one place": "services: {a: {image: x, tmpfs: [/d], volumes: ['/b:/d']}}",
    "mode and networks": "services: {a: {image: x, network_mode: host, networks: [n]}}\nnetworks: {n: {}}",
    "neither image nor build": "services: {a: {command: 'true'}}",
    "a secret of nothing": "services: {a: {image: x}}\nsecrets: {s: {}}",
    "a config of two things": "services: {a: {image: x}}\nconfigs: {c: {file: ./compose.yaml, content: x}}",
    "an unknown section": "service: {}\nservices: {a: {image: x}}",
    "an unknown key": "services: {a: {image: x, enviroment: {A: 1}}}",
    "an unknown key below": "services: {a: {image: x, healthcheck: {tset: 'true'}}}",
    "a test of no kind": "services: {a: {image: x, healthcheck: {test: [curl, x]}}}",
    "no size": "services: {a: {image: x, mem_limit: much}}",
    "no size below": "services: {a: {image: x, deploy: {resources: {limits: {memory: 1 gig}}}}}",
    "no duration": "services: {a: {image: x, healthcheck: {test: 'true', interval: soon}}}",
    "two limits": "services: {a: {image: x, mem_limit: 1g, deploy: {resources: {limits: {memory: 2g}}}}}",
    "two counts of processors": "services: {a: {image: x, cpus: 1, deploy: {resources: {limits: {cpus: '2'}}}}}",
    "a name for many": "services: {a: {image: x, container_name: ab, scale: 2}}",
    "a port of words": "services: {a: {image: x, ports: ['http:80']}}",
    "a port too large": "services: {a: {image: x, ports: ['80:99999']}}",
    "a list as a command's place": "services: {a: {image: x, command: {a: b}}}",
    "a scalar service": "services: {a: image}",
    "ports that are no list": "services: {a: {image: x, ports: '80:80'}}",
    "two documents, one wrong": "services: {a: {image: x}}\n---\nservices: {b: {}}\n",
    "a name of a service": "services: {'a b': {image: x}}",
    "volumes as a list": "services: {a: {image: x}}\nvolumes: [a]",
    "an env file that is not there": "services: {a: {image: x, env_file: gone.env}}",
    "the port 70000:80": "services: {a: {image: x, ports: ['70000:80']}}",
    "the port 80-85:80-82": "services: {a: {image: x, ports: ['80-85:80-82']}}",
    "the port 80:80-81": "services: {a: {image: x, ports: ['80:80-81']}}",
    "the port localhost:80:80": "services: {a: {image: x, ports: ['localhost:80:80']}}",
    "the port 8080:80:90": "services: {a: {image: x, ports: ['8080:80:90']}}",
    "the port -1:80": "services: {a: {image: x, ports: ['-1:80']}}",
    "the port 2-1:80": "services: {a: {image: x, ports: ['2-1:80']}}",
    "the port 80:80/x": "services: {a: {image: x, ports: ['80:80/x']}}",
    "the port 1.2.3:80:80": "services: {a: {image: x, ports: ['1.2.3:80:80']}}",
    "the port ::7:7": "services: {a: {image: x, ports: ['::7:7']}}",
    "the port [::1:7:7": "services: {a: {image: x, ports: ['[::1:7:7']}}",
    "the port fe80::1%eth0:7:7": "services: {a: {image: x, ports: ['fe80::1%eth0:7:7']}}",
    "the port 65530-65536:1-7": "services: {a: {image: x, ports: ['65530-65536:1-7']}}",
    r"the volume CC:\x:/y": r"services: {a: {image: x, volumes: ['CC:\x:/y']}}",
    r"the volume 1:/x:/y": r"services: {a: {image: x, volumes: ['1:/x:/y']}}",
    r"the volume c:/x:/y:ro:z": r"services: {a: {image: x, volumes: ['c:/x:/y:ro:z']}}",
    "a network that may be internal": "services: {a: {image: x}}\nnetworks: {n: {internal: perhaps}}",
    "an unknown key of a network": "services: {a: {image: x}}\nnetworks: {n: {driverr: bridge}}",
    "an unknown key of a volume": "services: {a: {image: x}}\nvolumes: {v: {x: 1}}",
    "labels of a volume that are twice": "services: {a: {image: x}}\nvolumes: {v: {labels: [a, a]}}",
    "a volume of text": "services: {a: {image: x}}\nvolumes: {v: x}",
    "required and not set": "services: {a: {image: 'x:${TAG:?}'}}",
}
TAKEN = {
    "two documents": "services: {a: {image: x}}\n---\nservices: {a: {tty: true}}\n",
    "a merge of two": "x-a: &a {tty: true}\nx-b: &b {init: true}\nservices: {a: {<<: [*a, *b], image: x}}\n",
    "two volumes in one place": "services: {a: {image: x, volumes: ['/a:/d', '/b:/d']}}",
    "an optional profile": """
services:
  a: {image: x, depends_on: {b: {condition: service_started, required: false}}}
  b: {image: x, profiles: [p]}
""",
    "volumes from a container": "services: {a: {image: x, volumes_from: ['container:b']}}",
    "network of a container": "services: {a: {image: x, network_mode: 'container:b'}}",
    "a network that is null": "services: {a: {image: x, networks: {n: }}}\nnetworks: {n: }",
    "external": "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}",
    "a secret of a variable": "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}}",
    "sizes": "services: {a: {image: x, mem_limit: 1.5gb, shm_size: 64M, mem_reservation: 1024}}",
    "durations": "services: {a: {image: x, stop_grace_period: 1m30s, healthcheck: {test: 'true', interval: 1h2m3.5s}}}",
    "ports": """
services: {a: {image: x, ports: [80, '81', '82:82/udp', '127.0.0.1::83', '[::1]:84:84', '8000-8001:85-86', ':87']}}
""",
    "an anonymous volume": "services: {a: {image: x, volumes: [/data, '/var/lib/x:/y:ro,z']}}",
    "what a profile keeps away": "services: {a: {image: x}, b: {image: x, profiles: [p], networks: [n]}}",
    "one replica with a name": "services: {a: {image: x, container_name: ab, deploy: {replicas: 1}}}",
    "one limit twice": "services: {a: {image: x, mem_limit: 1g, deploy: {resources: {limits: {memory: 1024m}}}}}",
    "values": "services: {a: {image: x, environment: {A: 1, B: true, C: , D: 1.5}, command: [a, '1']}}",
    "models": "services: {a: {image: x, models: [m]}}\nmodels: {m: {model: ai/x}}",
    "extensions": "x-y: 1\nservices: {a: {image: x, x-z: {a: b}, healthcheck: {test: 'true', x-z: 1}}}",
    "an image of a variable": "services: {a: {image: 'x:${TAG}', volumes: ['${DATA:-./d}:/data']}}",
    "the port 80:80/": "services: {a: {image: x, ports: ['80:80/']}}",
    "the port 80/": "services: {a: {image: x, ports: ['80/']}}",
    "the port ::1:7:7": "services: {a: {image: x, ports: ['::1:7:7']}}",
    "the port fe80::1:7:7": "services: {a: {image: x, ports: ['fe80::1:7:7']}}",
    "the port 80:80/TCP": "services: {a: {image: x, ports: ['80:80/TCP']}}",
    "the port 80:80/sctp": "services: {a: {image: x, ports: ['80:80/sctp']}}",
    "the port 80-90:80": "services: {a: {image: x, ports: ['80-90:80']}}",
    "the port 0:80": "services: {a: {image: x, ports: ['0:80']}}",
    "the port 00080:80": "services: {a: {image: x, ports: ['00080:80']}}",
    "the port [1.2.3.4]:7:7": "services: {a: {image: x, ports: ['[1.2.3.4]:7:7']}}",
    "the port ${IP}:80:80": "services: {a: {image: x, ports: ['${IP}:80:80']}}",
    "the port ${P}:80": "services: {a: {image: x, ports: ['${P}:80']}}",
    r"the volume C:\x:/y": r"services: {a: {image: x, volumes: ['C:\x:/y']}}",
    r"the volume C:/x:/y:ro": r"services: {a: {image: x, volumes: ['C:/x:/y:ro']}}",
    r"the volume d:/y": r"services: {a: {image: x, volumes: ['d:/y']}}",
    r"the volume C:\x:C:\y": r"services: {a: {image: x, volumes: ['C:\x:C:\y']}}",
    r"the volume C:\x": r"services: {a: {image: x, volumes: ['C:\x']}}",
    r"the volume C:x:/y": r"services: {a: {image: x, volumes: ['C:x:/y']}}",
    r"the volume /a:C:/y": r"services: {a: {image: x, volumes: ['/a:C:/y']}}",
    "an env file that need not be there": "services: {a: {image: x, env_file: [{path: gone.env, required: false}]}}",
}


REFUSED_OF_SERVICE = [
    "scale: -1",
    "deploy: {replicas: -1}",
    "healthcheck: {test: x, retries: -1}",
    "pull_policy: sometimes",
    "pull_policy: 5",
    "cpu_count: -1",
    *(f"{key}: '${{M}}'" for key in ("cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period")),
    *(f"{key}: x" for key in ("attach", "oom_kill_disable", "mem_swappiness", "cpu_rt_runtime")),
    *(f"{key}: []" for key in ("cgroup", "platform", "stop_signal", "runtime", "userns_mode", "mem_limit", "tty")),
    *(f"{key}: [1]" for key in ("environment", "labels", "annotations", "sysctls")),
    *(f"{key}: {{a: b}}" for key in ("user", "hostname", "cpus", "gpus", "isolation", "mac_address", "dns")),
    "security_opt: [[x]]",
    "group_add: [x, x]",
    "devices: [[x]]",
    "deploy: {resources: {limits: {}, x: 1}}",
    "deploy: {resources: {limits: {memroy: 1g}}}",
    "deploy: {resources: {limits: }}",
    "deploy: {resources: {reservations: }}",
    "deploy: {restart_policy: {conditoin: any}}",
    "deploy: {update_config: {parallelism: x}}",
    "deploy: {placement: {constraints: x}}",
    "deploy: {placement: {max_replicas_per_node: x}}",
    "deploy: {rollback_config: {max_failure_ratio: x}}",
    *(f"deploy: {{restart_policy: {{{text}}}}}" for text in ("max_attempts: x", "max_attempts: -1", "delay: x")),
    *(f"deploy: {{update_config: {{{text}}}}}" for text in ("parallelism: -1", "delay: x", "monitor: ''")),
    "deploy: {resources: {reservations: {cpus: x}}}",
    "deploy: {mode: [x]}",
    "ulimits: {nofile: {soft: 1}}",
    "ulimits: {nofile: [1]}",
    "blkio_config: {weigth: 1}",
    "build: {contxt: .}",
    *(f"build: {{context: ., {key}: x}}" for key in ("no_cache", "privileged", "pull", "shm_size")),
    *(f"blkio_config: {{weight: {text}}}" for text in ("x", "-1")),
    "build: []",
    "develop: {watch: [{path: .}]}",
    "post_start: x",
    "logging: {driver: []}",
    "credential_spec: {x: y}",
    "volumes: ",
    "ports: ",
    "environment: ",
    "networks: ",
    "depends_on: ",
    "env_file: ",
    "labels: ",
    "healthcheck: ",
    "restart: ",
    "secrets: ",
    "expose: ",
    "cap_add: ",
    "profiles: ",
    "logging: ",
    "build: ",
    "extra_hosts: ",
    "dns: ",
    "tmpfs: ",
    "ulimits: ",
    "mem_limit: ",
    "container_name: ",
    "user: ",
    "mem_limit: 512m, deploy: {resources: {limits: {cpus: '0.5'}}}",
    "cpus: 1, deploy: {resources: {limits: {memory: 1g}}}",
    "pids_limit: 5, deploy: {resources: {limits: {}}}",
    "mem_reservation: 512m, deploy: {resources: {reservations: {memory: 20m}}}",
    "mem_reservation: 512m, deploy: {resources: {reservations: {cpus: '1'}}}",
    "mem_limit: '${M}'",
    "cpus: '${M}'",
    "pids_limit: '${M}'",
    "mem_reservation: '${M}'",
    "memswap_limit: '${M}'",
    "shm_size: '${M}'",
    "scale: '${M}'",
    "privileged: '${M}'",
    "init: '${M}'",
    "tty: '${M}'",
    "read_only: '${M}'",
    "stop_grace_period: '${M}'",
    "container_name: '${M}'",
    "oom_score_adj: '${M}'",
    "cpu_shares: '${M}'",
    "extra_hosts: '${M}'",
    "ulimits: '${M}'",
    "annotations: '${M}'",
    "sysctls: '${M}'",
    "healthcheck: {test: x, retries: '${M}'}",
    "healthcheck: {test: x, interval: '${M}'}",
    "healthcheck: {test: x, disable: '${M}'}",
    "deploy: {resources: {limits: {memory: '${M}'}}}",
    "deploy: {resources: {limits: {cpus: '${M}'}}}",
    "deploy: {resources: {limits: {pids: '${M}'}}}",
    "deploy: {replicas: two}",
    "healthcheck: {test: x, retries: x}",
    "ulimits: {nofile: x}",
    "ulimits: {nofile: {soft: x, hard: 2}}",
    "extra_hosts: [abc]",
    "extra_hosts: [':1.2.3.4']",
    "extra_hosts: {a: }",
    "container_name: a",
    "container_name: 'a b'",
    *(f"healthcheck: {{test: x, {key}: }}" for key in ("interval", "retries", "disable", "start_period")),
    *(f"logging: {{{key}: }}" for key in ("driver", "options")),
    *(f"deploy: {{{key}: }}" for key in ("labels", "replicas", "resources", "restart_policy", "update_config", "mode")),
]
TAKEN_OF_SERVICE = [
    *(f"{key}: [x, x]" for key in ("cap_add", "cap_drop", "dns", "dns_search", "profiles", "tmpfs")),
    "expose: [80, 80]",
    "deploy: {labels: [x, x]}",
    "build: {context: ., labels: [x, x], no_cache: 'true', shm_size: 64m}",
    "blkio_config: {weight: 300}",
    "pull_policy: daily",
    "ulimits: {nofile: {soft: 1, hard: 2}}",
    "cpu_period: '5'",
    "build: {context: ., args: [A=1]}",
    "deploy: {restart_policy: {condition: any, max_attempts: 3}}",
    "command: ",
    "entrypoint: ",
    "deploy: ",
    "mem_limit: 0, deploy: {resources: {limits: {cpus: '0.5'}}}",
    "mem_reservation: 5m, deploy: {resources: {limits: {memory: 20m}}}",
    "mem_limit: -1",
    "cpus: '1.5'",
    "scale: '2'",
    "pids_limit: '5'",
    "privileged: 'true'",
    "privileged: 'yes'",
    "init: 'TRUE'",
    "deploy: {replicas: '2'}",
    "ulimits: {nofile: '5', nproc: {soft: 1, hard: 2}, core: -1}",
    "extra_hosts: ['a:1.2.3.4', 'b=x', 'c:::1', 'd:']",
    "extra_hosts: {a: x, b: ''}",
    "container_name: _ab",
    "restart: '${M}'",
    "user: '${M}'",
    "build: '${M}'",
    "healthcheck: {test: x, retries: '3'}",
]
REFUSED |= {f"of a service: {text}": f"services: {{a: {{image: x, {text}}}}}" for text in REFUSED_OF_SERVICE}
TAKEN |= {f"of a service: {text}": f"services: {{a: {{image: x, {text}}}}}" for text in TAKEN_OF_SERVICE}


def criticals(directory: Path) -> list[Finding]:
    loaded = load(directory)
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()))
    checks = (ComposeValid(), EnvFiles(), UnsetVariables())
    return [one for check in checks for one in check.find(inputs) if one.severity == "critical"]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_critical(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": REFUSED[name]})
    found = criticals(tmp_path)
    assert found
    assert all(one.place.file == f"{tmp_path}/compose.yaml" and one.place.line for one in found), found


@pytest.mark.parametrize("image", ["x:${TAG:?}", "${TAG:?}", "${TAG:?}:1", "x:${TAG}"])
def test_a_variable_that_is_not_set_is_told_once(image: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, f"services: {{a: {{image: '{image}'}}}}")
    findings = [*found(ComposeValid(), loaded), *found(UnsetVariables(), loaded), *found(Images(), loaded)]
    assert [one.check for one in findings] == ["unset-variables"]


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_not(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TAKEN[name]})
    assert criticals(tmp_path) == []


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("name", list(REFUSED)[:: 1 if long_form() else 4])
def test_where_a_profile_is_off_the_real_compose_thinks_the_same(name: str, tmp_path: Path) -> None:
    try:
        (document,) = yaml.safe_load_all(REFUSED[name])
        for service in document["services"].values():
            service["profiles"] = ["off"]
    except (TypeError, ValueError):
        return  # it is no mapping at all, or two documents
    document["services"]["on"] = {"image": "x"}
    write(tmp_path, {"compose.yaml": yaml.safe_dump(document)})
    for compose in judges(name):
        judged = compose.config(tmp_path, "-q")
        assert judged.refused == bool(criticals(tmp_path)), (compose.program, judged.complaint)


def test_a_profile_that_is_in_use_counts(tmp_path: Path) -> None:
    compose = "services: {a: {image: x, depends_on: [b]}, b: {image: x, profiles: [p], networks: [n]}}"
    write(tmp_path, {"compose.yaml": compose})

    def found(*running: str) -> list[tuple[str, str]]:
        names = frozenset((f"{tmp_path}/compose.yaml", name) for name in running)
        findings = ComposeValid().find(Inputs(projects=[load(tmp_path)], running=names))
        return [(one.severity, one.message.partition(",")[0]) for one in findings]

    kept_away, no_network = "a needs the service b", "b names the network n"
    assert found() == [("critical", kept_away), ("warning", no_network)]
    assert found("b") == [("critical", no_network)]
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=x, p\n")
    assert found() == [("critical", no_network)]


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(("name", "refused"), [*((name, True) for name in REFUSED), *((name, False) for name in TAKEN)])
def test_the_real_compose_thinks_the_same(name: str, refused: bool, tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": (REFUSED if refused else TAKEN)[name]})
    for compose in judges(name):
        judged = compose.config(tmp_path, "-q")
        assert judged.refused == refused, (compose.program, judged.complaint)
