"""What `upkeeper up` puts into the messages: a real Alertmanager renders it, whatever is in it."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from remediator.config.matchers import parse_matchers
from remediator.config.notify import Notify
from remediator.config.remedies import Remedy
from remediator.monitoring.rules import BOARDS, Links, rules_with_links
from tests import servers
from tests.alertmanager.alerts import ANNOTATIONS, ENDED, post
from tests.alertmanager.conftest import without_waits
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.helpers import wait_until
from tests.ports import free_port
from tests.upkeeper.up.test_render import UGLY
from upkeeper.share import share_path
from upkeeper.up.messages import Local, local_template
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

MATCHERS = [
    'alertname="A"',
    'alertname="A", severity!="page"',
    'alertname=~"A|B", target=~"n8n.*"',
    'alertname!~"A|B"',
    '"odd name"="x"',
    r'target=~"a)|(b|\\d+"',
    'target="{{ .Labels }} `x` \\"y\\" \\\\ \U0001f600"',
    'target=""',
]
ALERTS = [
    {"alertname": "A"},
    {"alertname": "A", "severity": "page", "target": "n8n-1"},
    {"alertname": "C", "target": "7"},
    {"alertname": "B", "target": '{{ .Labels }} `x` "y" \\ \U0001f600'},
    {"alertname": "B", "target": "nothing matches"},
]


def remedy(index: int, match: str) -> Remedy:
    return Remedy(name=f"remedy-{index}", match=[match], task="log-rotation", target="x")


@pytest.mark.servers
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # it is on loopback
@pytest.mark.parametrize("order", [1, -1])
async def test_the_remedy_that_a_message_names_is_the_first_that_matches(layout: Layout, order: int) -> None:
    remedies = [remedy(index, match) for index, match in enumerate(MATCHERS)][::order]
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        notify = Notify.model_validate({"email": email, "host": '{{ . }} "pa" <b>'})
        write_configs(layout, Ports.from_base(free_port()), notify, share_path(), local=Local("not this", remedies))
        without_waits(layout.alertmanager_config)
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
            for number, labels in enumerate(ALERTS):
                labels = labels | {"number": str(number), "instance": "127.0.0.1:1"}
                await post(server.url, labels=labels, annotations={"summary": f"alert {number}"})
            await wait_until(lambda: len(mailbox.mails) == len(ALERTS), what="all mails")
    said = {str(message["Subject"]): part(message, "plain") for _, message in mailbox.mails}
    for number, labels in enumerate(ALERTS):
        text = said[f'[{labels.get("severity", "firing")}] alert {number} on {{{{ . }}}} "pa" <b>']
        first = [one.name for one in remedies if all(m.matches(labels) for m in parse_matchers(one.match[0]))][:1]
        assert [name for name in (one.name for one in remedies) if f"The remedy {name} matches" in text] == first


@pytest.mark.parametrize(
    ("autonomy", "does"),
    [
        ("auto", "It runs log-rotation: see `upkeeper history`."),
        ("observe", "It only records what log-rotation would do: see `upkeeper history`."),
        (
            "approve",
            "It plans log-rotation and does nothing before you approve that: `upkeeper approvals`, "
            "`upkeeper approve ID`.",
        ),
    ],
)
def test_it_says_what_the_remedy_may_do_by_itself(autonomy: str, does: str) -> None:
    one = remedy(0, 'alertname="A"').model_copy(update={"autonomy": autonomy})
    assert f"The remedy remedy-0 matches. {does}\\n" in local_template(Local("pa", [one]), None).decode()


def test_a_pattern_that_go_may_refuse_is_left_out() -> None:
    """A template that does not compile would cost people the whole message."""
    remedies = [remedy(0, 'alertname=~"(?P<x>a)"'), remedy(1, 'alertname="b"')]
    made = local_template(Local("pa", remedies), None).decode()
    assert "remedy-0" not in made
    assert "remedy-1" in made


@pytest.mark.parametrize("value", UGLY)
def test_a_host_is_one_line(value: str) -> None:
    if value.isprintable():
        assert Notify.model_validate({"host": value}).host == value
    else:
        with pytest.raises(ValueError, match="must be one line"):
            Notify.model_validate({"host": value})


def test_runbooks_and_dashboards_are_linked_where_the_config_says_where_they_are() -> None:
    shipped = {path.name: path.read_bytes() for path in (share_path() / "prometheus" / "rules").glob("*.yml")}
    assert rules_with_links(shipped, Links()) == shipped
    linked = rules_with_links(shipped, Links("https://wiki.example.org/runbooks/", "https://grafana.example.org"))
    assert linked.keys() == shipped.keys()
    for name, content in linked.items():
        rules, before = rules_of(content), rules_of(shipped[name])
        for rule in (rule for rule in rules if "alert" in rule):  # what is recorded is told to nobody
            board = rule["annotations"].pop("dashboard_url").removeprefix("https://grafana.example.org/d/")
            assert (Path(share_path()) / "grafana" / "dashboards" / f"{board}.json").exists()
            url = rule["annotations"].pop("runbook_url")
            assert url == f"https://wiki.example.org/runbooks/{rule['alert']}.md"
            assert (Path(share_path()) / "docs" / "runbooks" / f"{rule['alert']}.md").exists()
        assert rules == before


def test_the_dashboard_of_an_alert_shows_what_it_is_about() -> None:
    share = Path(share_path())
    assert BOARDS.keys() == {path.stem for path in (share / "prometheus" / "rules").glob("*.yml")}
    shown = {
        board: (share / "grafana" / "dashboards" / f"upkeeper-{board}.json").read_text() for board in BOARDS.values()
    }
    for subject, board in BOARDS.items():
        rules = rules_of((share / "prometheus" / "rules" / f"{subject}.yml").read_bytes())
        read = {name for rule in rules for name in re.findall(r"\bupkeeper_\w+", rule["expr"])}
        of_board = read & set(re.findall(r"\bupkeeper_\w+", shown[board]))
        assert of_board or not any(read & set(re.findall(r"\bupkeeper_\w+", text)) for text in shown.values()), subject


@pytest.mark.servers
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # it is on loopback
@pytest.mark.parametrize(
    ("console", "said"),
    [
        ("https://ops.example.org/up", "What Upkeeper does about it: https://ops.example.org/up/console/alerts/of/"),
        (
            "http://127.0.0.1:10747",
            "What Upkeeper does about it, on this machine only: http://127.0.0.1:10747/console/alerts/of/",
        ),
    ],
)
async def test_a_message_links_to_what_upkeeper_does(layout: Layout, console: str, said: str) -> None:
    """By the fingerprint that the remediator is told too, and in what has ended as well."""
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        local = Local("this machine", [], console)
        write_configs(
            layout, Ports.from_base(free_port()), Notify.model_validate({"email": email}), share_path(), local=local
        )
        without_waits(layout.alertmanager_config)
        links = {"runbook_url": "https://wiki/r", "dashboard_url": "https://grafana.example.org/d/upkeeper-host"}
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
            await post(server.url, annotations=ANNOTATIONS | links)
            await wait_until(lambda: len(mailbox.mails) == 1, what="a mail")
            async with httpx.AsyncClient() as client:
                (alert,) = (await client.get(f"{server.url}/api/v2/alerts")).json()
            await post(server.url, ended=ENDED, annotations=ANNOTATIONS | links)
            await wait_until(lambda: len(mailbox.mails) == 2, what="the mail of the end")
    link = f"{said}{alert['fingerprint']}"
    texts = [part(mail, "plain").replace("\r\n", "\n") for _, mail in mailbox.mails]
    ends = "\nWhat to do: https://wiki/r\nDashboard: https://grafana.example.org/d/upkeeper-host\n"
    here = "127.0.0.1" in console
    more = " (`console: {url: ...}` in upkeeper.yml makes it a link for all)" if here else ""
    assert f"\n{link}{more}{ends}" in texts[0]
    assert f"\n{link.replace('does', 'did')}{more}{ends}" in texts[1]
    url = link.partition(": ")[2]
    pages = [part(mail, "html") for _, mail in mailbox.mails]
    assert [url in page for page in pages] == [True, True]
    # What only this machine can open is text.
    assert [f'<a href="{url}">{url}</a>' in page for page in pages] == [not here] * 2
    assert not [page for page in pages if 'href="http://127.' in page]


def rules_of(content: bytes) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(content)["groups"] for rule in group["rules"]]
