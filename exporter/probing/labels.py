"""Services that containers declare by their labels, so that a Compose file is all the config they need.

``upkeeper.probe.url`` makes a container a service of its own name; beside it, the other labels of ``KEYS`` mean what
they mean in the config, ``expect_status`` as numbers with commas and ``body_json`` as JSON. Keys that name a file are
not among them: whoever can start a container must not choose which file the exporter reads, and sends.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from exporter.configfile.dialect import scalar
from exporter.docker.containers import ListedContainer
from exporter.inventory.services import Service

PREFIX = "upkeeper.probe."
KEYS = (
    "url",
    "means",
    "method",
    "body",
    "expect_status",
    "body_regex",
    "body_json",
    "timeout",
    "tls",
    "starttls",
    "tls_verify",
    "tls_server_name",
    "tls_min_validity",
    "follow_redirects",
    "send",
    "expect",
    "ip_protocol",
)

_DURATIONS = frozenset({"timeout", "tls_min_validity"})
_NOT_STARTED = frozenset({"created", "removing"})


def labelled_services(containers: Iterable[ListedContainer]) -> tuple[Sequence[Service], Mapping[str, str]]:
    """The services that the labels declare, and for each container whose labels are wrong, what is. Pure.

    Stopped containers count: a service whose container stopped is down. Only those that never started do not.
    """
    services: list[Service] = []
    problems: dict[str, str] = {}
    for container in containers:
        values = {key: container.labels[PREFIX + key] for key in KEYS if PREFIX + key in container.labels}
        unknown = sorted(
            label for label in container.labels if label.startswith(PREFIX) and label.removeprefix(PREFIX) not in KEYS
        )
        if "url" not in values or container.state in _NOT_STARTED:
            continue
        if unknown:
            problems[container.name] = f"unknown label {unknown[0]}"
        try:
            services.append(_service(container.name, values))
        except ValidationError as error:
            problems[container.name] = "; ".join(
                f"{each['loc'][-1]}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()
            )
    return services, problems


def _service(name: str, values: Mapping[str, str]) -> Service:
    probe: dict[str, object] = dict(values)
    if "expect_status" in values:
        probe["expect_status"] = [part.strip() for part in values["expect_status"].split(",")]
    for key in _DURATIONS & values.keys():
        probe[key] = scalar(values[key].strip())  # a label is always text, where the config has a number
    if "body_json" in values:
        # What is no JSON stays text, which the model then refuses in its own words.
        with contextlib.suppress(ValueError):
            probe["body_json"] = json.loads(values["body_json"])
    return Service.model_validate({"name": name, "container": name, "probes": [probe]})
