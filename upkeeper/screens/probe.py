"""Probes that ran just now, on the screen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from exporter.base.text import format_time
from exporter.base.units import format_bytes
from exporter.probing.recorder import Step
from upkeeper.look.probe import Probed
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES

StepFacts = Mapping[str, Any]


def show_probes(screen: Screen, service: str, probed: Sequence[Probed], *, debug: bool) -> None:
    """A table of the probes; with ``debug`` each of them step by step before it."""
    screen.document(document(service, probed, debug=debug))
    if debug:
        for each in probed:
            _show_steps(screen, service, each)
            screen.line()
    screen.table(
        [Column("probe"), Column("result"), Column("took", right=True), Column("detail", wide=True)],
        [
            [
                Cell(f"{service}/{each.result.probe}", "bold"),
                state("ok" if each.result.success else "failed"),
                _milliseconds(each.result.duration),
                each.result.detail,
            ]
            for each in probed
        ],
    )


def document(service: str, probed: Sequence[Probed], *, debug: bool) -> dict[str, object]:
    """The same as a JSON document."""
    return {
        "target": service,
        "success": all(each.result.success for each in probed),
        "probes": [_as_document(each, debug) for each in probed],
    }


def _as_document(each: Probed, debug: bool) -> dict[str, object]:
    result = each.result
    found: dict[str, object] = {
        "probe": result.probe,
        "url": each.url,
        "success": result.success,
        "detail": result.detail,
        "http_status": result.status,
        "duration_seconds": round(result.duration, 6),
        "phases_seconds": {phase: round(seconds, 6) for phase, seconds in result.phases.items()},
        "tls_not_after": None if result.tls_not_after is None else format_time(result.tls_not_after),
    }
    if debug:
        found["steps"] = [{"at_seconds": round(step.at, 6), "what": step.what, **step.facts} for step in each.steps]
    return found


def _show_steps(screen: Screen, service: str, each: Probed) -> None:
    screen.line(Cell(f"{service}/{each.result.probe}", "bold"), f" {each.url}")
    for step in each.steps:
        first, *rest = _words(step)
        screen.line(Cell(f"{_milliseconds(step.at):>11}  ", "dim"), *first)
        for line in rest:
            screen.line(f"{'':15}{line}")
    phases = ", ".join(f"{phase} {_milliseconds(seconds)}" for phase, seconds in each.result.phases.items())
    screen.line(Cell(f"{_milliseconds(each.result.duration):>11}  ", "dim"), f"in all: {phases}")


def _words(step: Step) -> list[Any]:
    """The step's own line as parts, then the lines below it."""
    written = _WRITERS.get(step.what)
    if written is None:
        return [[f"{step.what}: {dict(step.facts)}"]]
    first, *rest = written(step.facts)
    return [first if isinstance(first, list) else [first], *rest]


def _resolved(facts: StepFacts) -> Iterator[Any]:
    preferred = "" if facts["protocol"] == "any" else f" ({facts['protocol']} first)"
    yield f"resolved {facts['host']} to {', '.join(facts['addresses']) or 'nothing'}{preferred}"


def _tls(facts: StepFacts) -> Iterator[Any]:
    agreed = f"{facts['version']}, {facts['cipher']}" if facts["version"] else "TLS did not come about"
    well = facts["verification"] == "passed"
    yield [f"{agreed}; verification ", Cell(facts["verification"], STYLES["ok"] if well else STYLES["failed"])]


def _certificate(facts: StepFacts) -> Iterator[Any]:
    if "problem" in facts:
        yield f"certificate {facts['place']} {facts['problem']}"
        return
    yield f"certificate {facts['place']}: {facts['subject']}"
    yield f"issued by {facts['issuer']}"
    yield f"valid from {facts['not_before']} to {facts['not_after']}"
    if not facts["of_chain"]:
        yield "not part of the chain: does not count"


def _request(facts: StepFacts) -> Iterator[Any]:
    yield f"request: {facts['method']} {facts['url']}"
    yield from (f"{name}: {value}" for name, value in facts["headers"].items())


def _response(facts: StepFacts) -> Iterator[Any]:
    yield f"answer: {facts['version']} {facts['status']}"
    yield from (f"{name}: {value}" for name, value in facts["headers"].items())


def _body(facts: StepFacts) -> Iterator[Any]:
    yield f"body, {format_bytes(facts['bytes'])}{' and more' if facts['cut'] else ''}"
    yield from facts["excerpt"].splitlines()


def _condition(facts: StepFacts) -> Iterator[Any]:
    yield [state("ok" if facts["met"] else "failed"), f": {facts['expected']}; found: {facts['found']}"]


_WRITERS: Mapping[str, Callable[[StepFacts], Iterator[Any]]] = {
    "resolved": _resolved,
    "connected": lambda facts: iter([f"connected to {facts['address']}"]),
    "not connected": lambda facts: iter([f"not connected to {facts['address']}: {facts['reason']}"]),
    "tls": _tls,
    "certificate": _certificate,
    "request": _request,
    "response": _response,
    "body": _body,
    "sent": lambda facts: iter([f"sent: {facts['line']}"]),
    "received": lambda facts: iter([f"received: {facts['line']}"]),
    "condition": _condition,
}
"""What a step says, by what happened."""


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
