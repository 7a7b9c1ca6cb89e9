"""Ready-made proofs, judged. The real programs are not to be had here: their words are written after their docs."""

import pytest

from exporter.backups.manifest import Manifest, Member
from exporter.inventory.drills import Drill, DrillProof
from remediator.model.task import TaskError
from remediator.tasks.disaster_recovery.order import no_longer_needed
from remediator.tasks.disaster_recovery.proofs.proof import NotProven
from remediator.tasks.disaster_recovery.proofs.registry import PROOFS

NOTHING = Manifest(backup="pa", started=1, finished=2, files=[])


def agents(count: int) -> Manifest:
    facts = {"databases": {"letta": {"rows": {"public.agents": count, "public.messages": 9}}}}
    return Manifest(backup="pa", started=1, finished=2, files=[], members=[Member("postgres", "main", [], facts)])


def judged(application: str, said: str, manifest: Manifest = NOTHING, **keys: str) -> str:
    settings = DrillProof.model_validate({"application": application, **keys})
    return PROOFS[settings.application].judge(said, settings, manifest)


def test_n8n_must_have_decrypted_a_credential_and_none_of_it_is_told() -> None:
    credential = '{"id":"1","name":"mail","data":{"password":"hunter2"},"type":"smtp"}'
    assert judged("n8n", f"Initializing\n[{credential},{credential}]\n") == "2 credentials decrypted"
    for said in ("[]", "Successfully exported 0 credentials", '[{"data":{}}]'):
        with pytest.raises(NotProven, match="no credential came out"):
            judged("n8n", said)
    with pytest.raises(NotProven, match="not decrypted"):
        judged("n8n", '[{"id":"1","data":"U2FsdGVkX1"}]')
    # A field of a credential that is itself called data is no stored credential; and one of several is enough of those.
    assert judged("n8n", '[{"id":"1","data":{"data":"x"}}]') == "1 credential decrypted"
    with pytest.raises(NotProven, match="not decrypted"):
        judged("n8n", f'[{credential},{{"id":"2","data":"U2FsdGVkX1"}}]')
    # Of a long export only the end is seen.
    assert judged("n8n", f'word"}}}},{credential},{credential}]\nSuccessfully exported') == "2 credentials decrypted"


def test_n8n_must_have_decrypted_as_many_as_were_backed_up() -> None:
    credential = '{"id":"1","data":{"password":"hunter2"}}'
    stored = Member("sqlite", "n8n", [], {"rows": {"credentials_entity": 2, "workflow_entity": 7}})
    two = Manifest(backup="pa", started=1, finished=2, files=[], members=[stored])
    assert judged("n8n", f"[{credential},{credential}]", two) == "2 credentials decrypted, as many as were backed up"
    with pytest.raises(NotProven, match="1 credential decrypted, where 2 were backed up"):
        judged("n8n", f"[{credential}]", two)


def test_letta_must_list_as_many_agents_as_were_counted() -> None:
    assert judged("letta", "agents: 3\n", agents(3)) == "3 agents, as many as were backed up"
    for said in ("agents: 2", "", "3"):
        with pytest.raises(NotProven, match=r"it lists (2|no) agents, where 3 were backed up"):
            judged("letta", said, agents(3))
    with pytest.raises(TaskError, match="nothing could be proven"):
        judged("letta", "agents: 0", agents(0))
    with pytest.raises(TaskError, match="no database in it has a table agents"):
        judged("letta", "agents: 0")


def test_open_webui_must_answer_a_login() -> None:
    assert judged("open-webui", "logged in\n") == "it answers a login"
    with pytest.raises(NotProven):
        judged("open-webui", "no token\n")


def test_neo4j_must_have_checked() -> None:
    assert judged("neo4j", "Consistency check completed", database="graph") == "the store of graph is consistent"
    with pytest.raises(NotProven):
        judged("neo4j", "\n")


def test_postgres_must_answer_with_something() -> None:
    assert judged("postgres", "12\n", query="SELECT count(*) FROM t") == "its query answers 12"
    for said in ("", "0\n", "f\n"):
        with pytest.raises(NotProven, match="its query answers"):
            judged("postgres", said, query="SELECT 0")
    command = PROOFS["postgres"].command(
        DrillProof.model_validate({"application": "postgres", "query": "SELECT '; x'"})
    )
    assert command[-1] == "--command=SELECT '; x'"


@pytest.mark.parametrize(
    ("uses", "ended"),
    [
        ({}, {"db": ["db"], "app": ["app"], "web": ["web"]}),
        ({"app": ["db"]}, {"db": [], "app": ["db", "app"], "web": ["web"]}),
        ({"web": ["app"], "app": ["db"]}, {"db": [], "app": [], "web": ["db", "app", "web"]}),
        ({"web": ["db"]}, {"db": [], "app": ["app"], "web": ["db", "web"]}),
    ],
)
def test_a_service_ends_when_nothing_later_uses_it(uses: dict[str, list[str]], ended: dict[str, list[str]]) -> None:
    services = [
        {"name": name, "image": "i", "prove": ["p"], "uses": uses.get(name, [])} for name in ("db", "app", "web")
    ]
    drill = Drill.model_validate({"services": services, "one_by_one": True})
    assert {name: no_longer_needed(drill.services, name) for name in ended} == ended
