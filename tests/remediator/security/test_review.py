"""Acceptances with an end, and the review as documents."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exporter.findings.finding import SEVERITIES
from remediator.config.security import AcceptedRisk
from remediator.security.accept import review
from remediator.security.documents import SOURCES, document, sarif
from remediator.security.finding import Found, Risk

TODAY = date(2026, 11, 28)
OPEN = Risk("port:tcp/5432", "critical", "ports", "port 5432 is open", "shut it")
LEAK = Risk("file-modes:/srv/.env", "warning", "configuration", "all may read it", "chmod", "/srv/my env", 3)
OLD = Risk("image-age:web:1", "info", "images", "it is old", "pull")

REQUIRED: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "message": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "rules": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["id"],
                                        "properties": {"shortDescription": {"$ref": "#/$defs/message"}},
                                    },
                                }
                            },
                        }
                    },
                },
                "invocations": {"type": "array", "items": {"type": "object", "required": ["executionSuccessful"]}},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "message": {"$ref": "#/$defs/message"},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["kind"],
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "status": {"enum": ["accepted", "underReview", "rejected"]},
                        },
                    },
                },
                "locations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "properties": {
                                    "artifactLocation": {
                                        "type": "object",
                                        "properties": {"uri": {"type": "string", "pattern": "^[^ ]+$"}},
                                    },
                                    "region": {
                                        "type": "object",
                                        "properties": {"startLine": {"type": "integer", "minimum": 1}},
                                    },
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}
"""What SARIF 2.1.0 requires of the parts that we write, by its schema."""


def accepted(id: str, until: date) -> AcceptedRisk:
    return AcceptedRisk(id=id, reason="it is meant", until=until.isoformat())


def test_an_acceptance_holds_through_its_last_day_and_then_comes_back_and_says_so() -> None:
    for days, open_, borne in ((1, 0, 1), (0, 0, 1), (-1, 1, 0)):
        found = review([Found([OPEN])], [accepted(OPEN.id, TODAY + timedelta(days))], TODAY)
        assert (len(found.risks), len(found.accepted)) == (open_, borne), days
    assert found.risks[0].message == "port 5432 is open (it was accepted until 2026-11-27)"
    assert found.expired == [(OPEN.id, "2026-11-27")]
    assert found.breached


def test_the_longest_acceptance_counts_and_a_star_covers_many() -> None:
    rules = [accepted("port:*", TODAY - timedelta(5)), accepted("port:tcp/*", TODAY + timedelta(5))]
    found = review([Found([OPEN, LEAK])], rules, TODAY)
    assert [one.risk.id for one in found.accepted] == [OPEN.id]
    assert found.accepted[0].until == "2026-12-03"
    assert [risk.id for risk in found.risks] == [LEAK.id]
    assert found.expired == []


RISKS = st.builds(
    Risk,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(SEVERITIES),
    st.sampled_from(list(SOURCES)),
    st.text(min_size=1),
    st.text(min_size=1),
    st.sampled_from(["", "/srv/a b", "relative"]),
    st.sampled_from([None, 1, 7]),
)
RULES = st.builds(accepted, st.sampled_from(["a", "b", "*", "x"]), st.dates(date(2026, 11, 20), date(2026, 12, 5)))


@given(found=st.lists(RISKS), rules=st.lists(RULES, max_size=3))
def test_every_finding_is_open_or_accepted_once_and_sarif_is_what_it_requires(
    found: list[Risk], rules: list[AcceptedRisk]
) -> None:
    made = review([Found(found, ["x"]), Found()], rules, TODAY)
    ids = [risk.id for risk in made.risks] + [one.risk.id for one in made.accepted]
    assert sorted(ids) == sorted({risk.id for risk in found})
    order = [SEVERITIES.index(risk.severity) for risk in made.risks]
    assert order == sorted(order, reverse=True)
    log = sarif(made, "host", "2026-11-28T00:00:00Z")
    Draft202012Validator(REQUIRED).validate(log)
    results = log["runs"][0]["results"]
    assert len(results) == len(ids)
    rules_of = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules_of[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    assert sum("suppressions" in one for one in results) == len(made.accepted)


def test_the_documents_name_everything() -> None:
    made = review([Found([LEAK, OLD], ["the journal"], ["ports"])], [accepted(OLD.id, TODAY)], TODAY)
    ours = document(made, "host", "2026-11-28T00:00:00Z")
    assert [one["id"] for one in ours["findings"]] == [LEAK.id]
    assert [(one["id"], one["until"]) for one in ours["accepted"]] == [(OLD.id, "2026-11-28")]
    assert ours["unknown"] == ["the journal"]
    first, second = sarif(made, "host", "2026-11-28T00:00:00Z")["runs"][0]["results"]
    physical = first["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "file:///srv/my%20env"}, "region": {"startLine": 3}}
    assert second["suppressions"][0]["justification"] == "it is meant (until 2026-11-28)"


@pytest.mark.parametrize("until", ["soon", "2026-13-01", ""])
def test_an_end_must_be_a_day(until: str) -> None:
    with pytest.raises(ValueError, match="must be a day"):
        AcceptedRisk(id="a", reason="because", until=until)
