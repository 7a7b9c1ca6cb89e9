"""Asks a Prometheus each query of each dashboard, as Grafana does with everything chosen: which give nothing.

For `python -m scripts.show_alerts --boards FILE`, whose stack is real. CI asks them of recorded samples, with their
labels (tests/grafana/test_dashboard_queries.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from tests.grafana.dashboards import DASHBOARDS, load, targets

NOT_HERE = {
    r"upkeeper_neo4j_": "no Neo4j in this stack",
    r"upkeeper_web_": "no web config in this stack",
    r"upkeeper_sqlite_": "no SQLite database in this stack",
    r"upkeeper_probe_tls_": "the service of this stack speaks plain HTTP",
    r"upkeeper_postgres_(?:repl|slot|archive|wal_receivers|last_replayed)": "no standby, slot or archive in this stack",
    r"upkeeper_postgres_(?:oldest_transaction|vacuum|index|last_)": "nothing is open, vacuumed or to be looked at",
    r"upkeeper_backup_\w*(?:verif|verify|restore|proof|proven)": "no set of this stack was verified or restored",
    r"upkeeper_backup_(?:retention|room|next_size|size_expected)": "the backups of this stack are made by nobody",
    r"upkeeper_container_(?:exit_code|memory_limit|network|log_max)": "no container of this stack has such a thing",
    r"upkeeper_forecast_": "a forecast takes days of history",
    r"upkeeper_image_": "no service of this stack has an image that is looked after",
    r"upkeeper_telling_(?:failing_since)": "every message went",
    r"upkeeper_host_temperature": "the machine has no sensors",
    r"upkeeper_log_oldest": "no old file in the directories of this stack",
    r"upkeeper_(?:breaker_open|task_paused|approvals|webhook_rejected)": "nothing of the kind happened",
    r"upkeeper_(?:container_restarts|task_reclaimed|repair)": "nothing of the kind happened",
    r"upkeeper_decisions_total": "nothing of the kind happened",
    r"upkeeper_host_systemd": "systemd does not run this machine",
    r"upkeeper_host_reboot": "nothing marks whether a reboot is needed, or it is recorded only after five minutes",
    r"upkeeper_host_security_updates_pending:": "recorded each five minutes, for longer than this stack ran",
    r"upkeeper_task_runs_total": "no run of this stack had anything to do",
}
"""Why queries of metrics that begin so may give nothing there."""


@dataclass(frozen=True)
class Asked:
    """series: how many it gave. problem: what Prometheus says against it."""

    board: str
    panel: str
    query: str
    series: int
    problem: str = ""

    @property
    def reason(self) -> str:
        """Why it could give nothing, if that is known."""
        return next((why for begins, why in NOT_HERE.items() if re.search(rf"\b{begins}", self.query)), "")


async def ask(http: httpx.AsyncClient, url: str, instance: str) -> Sequence[Asked]:
    """Every query. instance: the exporter that is chosen."""
    found = []
    for path in DASHBOARDS:
        for panel in load(path)["panels"]:
            for target in targets(panel):
                query = _chosen(target["expr"], instance)
                answer = await http.get(f"{url}/api/v1/query", params={"query": query}, timeout=30)
                document = answer.json()
                series = len(document["data"]["result"]) if answer.status_code == 200 else 0
                found.append(Asked(path.stem, panel["title"], target["expr"], series, document.get("error", "")))
    return found


def _chosen(text: str, instance: str) -> str:
    port = instance.rpartition(":")[2]
    # What is the remediator's has another port on the same machine; Grafana's choice of the exporter leads to both.
    either = f"127.0.0.1:({port}|{int(port) + 1})"
    text = re.sub(r'instance="\$instance"', f'instance=~"{either}"', text)
    text = text.replace("$instance", either)
    text = re.sub(r"\$__(range|rate_interval)\b", "5m", text)
    return re.sub(r"\$\w+", ".*", text)


def table(found: Sequence[Asked]) -> str:
    """Of each dashboard how many gave something, and each that did not."""
    lines = ["| dashboard | queries | with data |", "|---|---|---|"]
    for board in dict.fromkeys(one.board for one in found):
        mine = [one for one in found if one.board == board]
        lines.append(f"| {board} | {len(mine)} | {sum(one.series > 0 for one in mine)} |")
    lines += ["", "| without data | why | query |", "|---|---|---|"]
    for one in found:
        if not one.series:
            query = one.query.replace("|", r"\|")
            lines.append(f"| {one.board}: {one.panel} | {one.problem or one.reason or '?'} | `{query}` |")
    return "\n".join(lines) + "\n"
