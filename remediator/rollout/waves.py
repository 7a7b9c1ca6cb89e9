"""Which hosts a rollout takes, and in which order. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.base.text import format_time_ms, nearest
from remediator.model.rollout import Member


@dataclass(frozen=True)
class Candidate:
    """A host as it stands. seen_at: its last sign of life (Unix seconds). paused: why everything is paused there."""

    host: str
    up: bool
    seen_at: float = 0.0
    paused: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def members(
    candidates: Sequence[Candidate], wanted: Collection[str], label: str | None, at_once: int | None = None
) -> Sequence[Member]:
    """Every host that is wanted, with its wave: first those of the first wave, at last those that are left out.

    wanted: names of hosts; none: all that there are. label: whose value is a host's failure domain: a wave has one host
    of each at most. A host without it may be in any of them, so that it is a wave by itself, after the others. No
    label: all hosts are one domain, and each is a wave. at_once: hosts of a wave, at most.
    """
    known = {one.host: one for one in candidates}
    names = sorted(set(wanted)) if wanted else sorted(known)
    left_out: list[Member] = []
    domains: dict[str, list[str]] = {}
    alone: list[str] = []
    for name in names:
        one = known.get(name)
        why = _why_not(name, one, known)
        domain = None if one is None or label is None else one.labels.get(label)
        if one is None or why:
            left_out.append(Member(name, domain, 0, "left-out", why))
        elif label is None:
            domains.setdefault("", []).append(name)
        elif domain is None:
            alone.append(name)
        else:
            domains.setdefault(domain, []).append(name)
    waves: list[list[Member]] = []
    for turn in range(max((len(hosts) for hosts in domains.values()), default=0)):
        row = [(domain, hosts[turn]) for domain, hosts in sorted(domains.items()) if turn < len(hosts)]
        size = at_once or len(row)
        for start in range(0, len(row), size):
            part = row[start : start + size]
            number = len(waves) + 1
            waves.append([Member(name, None if label is None else domain, number) for domain, name in part])
    waves += [[Member(name, None, len(waves) + 1 + more)] for more, name in enumerate(alone)]
    return [*(one for wave in waves for one in wave), *left_out]


def _why_not(name: str, one: Candidate | None, known: Collection[str]) -> str:
    """Why a host is left out; empty where it is not."""
    if one is None:
        return f"there is no such host; {nearest(name, known) or 'upkeeper hosts lists those that there are'}"
    if not one.up:
        return f"it is down: it was last seen at {format_time_ms(one.seen_at)}"
    if one.paused is not None:
        return f"everything is paused there: {one.paused}"
    return ""
