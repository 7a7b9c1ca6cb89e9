"""What promtool's tests of the alerts hold: the cases that tell most, and tests made of them."""

import re
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
LEAN = {"GOGC": "400", "GOMAXPROCS": "1"}
"""Environment of promtool: its heap is small, and collecting garbage less often saves a fifth of its time."""
METRIC = re.compile(r"\b(?:upkeeper|alertmanager)_\w+|\bup(?=[{ \n]|$)")

FIRING = re.compile(r'count\(ALERTS\{alertname="(\w+)", alertstate="firing"\}\)')
"""A case that asks whether an alert fires, without its texts."""

COMPARED = re.compile(r"(?<![=!<>])(>=|<=|>|<)(?!=)")
JUST_AT_IT: Mapping[str, str] = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}


def seconds(duration: object) -> float:
    """Of a duration as Prometheus writes it, such as 1h30m."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", str(duration)))


def telling(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each alert the case that wants it to fire soonest after one that does not, in its test.

    promtool evaluates a test no longer than to its last case.
    """
    best: dict[str, tuple[float, float, int, Any]] = {}
    for number, test in enumerate(document["tests"]):
        quiet: dict[str, float] = {}
        for case in sorted(test["alert_rule_test"], key=lambda case: seconds(case["eval_time"])):
            alert, at = case["alertname"], seconds(case["eval_time"])
            if not case["exp_alerts"]:
                quiet[alert] = at
            elif (found := (at - quiet.get(alert, 0), at, number)) < best.get(alert, (inf, inf, 0))[:3]:
                best[alert] = (*found, case)
    kept = [
        {name: value for name, value in test.items() if name != "promql_expr_test"}
        | {"alert_rule_test": [case for _, _, of, case in best.values() if of == number]}
        for number, test in enumerate(document["tests"])
    ]
    return [test for test in kept if test["alert_rule_test"]]


def of_dips(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tests that ask how long an alert goes on firing through dips of its value, without other cases."""
    return [
        test | {"alert_rule_test": []}
        for test in document["tests"]
        if any(FIRING.match(case["expr"]) for case in test.get("promql_expr_test", ()))
    ]


def read_by(expr: str) -> set[str]:
    """The metrics that an expression reads. The names of states, which are labels, are none."""
    return set(METRIC.findall(re.sub(r"\{[^}]*\}", "", expr)))


def without(document: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each telling case and each metric that its alert reads, a test in which that one is missing.

    It wants the alert to be quiet, and is named `ALERT METRIC`.
    """
    made = []
    for test in telling(document):
        for case in test["alert_rule_test"]:
            for metric in sorted(read_by(rules[case["alertname"]]["expr"])):
                left = [one for one in test["input_series"] if re.split(r"[{ ]", one["series"])[0] != metric]
                quiet = case | {"exp_alerts": []}
                name = f"{case['alertname']} {metric}"
                made.append(test | {"name": name, "input_series": left, "alert_rule_test": [quiet]})
    return made


def moved(rule: Mapping[str, Any], place: int) -> dict[str, Any] | None:
    """The rule, in which one of the limits takes in what is just at it, or no longer does; None without such a one."""
    expr = rule["expr"]
    found = list(COMPARED.finditer(re.sub(r"\{[^}]*\}", lambda braces: "_" * len(braces[0]), expr)))
    if place >= len(found):
        return None
    at = found[place]
    return {**rule, "expr": f"{expr[: at.start()]}{JUST_AT_IT[at[0]]}{expr[at.end() :]}"}


def at_once(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rule without its delay; None for one that has none."""
    return {name: value for name, value in rule.items() if name != "for"} if "for" in rule else None


def kept_for(seconds_more: float) -> Callable[[Mapping[str, Any]], dict[str, Any] | None]:
    """The change that keeps a rule's alert firing for longer, by less than 0 for shorter; None where it is not kept."""

    def change(rule: Mapping[str, Any]) -> dict[str, Any] | None:
        if "keep_firing_for" not in rule:
            return None
        return {**rule, "keep_firing_for": f"{int(seconds(rule['keep_firing_for']) + seconds_more)}s"}

    return change


def not_kept(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rule, whose alert ends at the first dip; None for one that ends so anyhow."""
    if "keep_firing_for" not in rule:
        return None
    return {name: value for name, value in rule.items() if name != "keep_firing_for"}
