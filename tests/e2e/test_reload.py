"""A running remediator takes a changed config into use by itself, and keeps what works when the change is wrong."""

from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.processes import Api, upkeeper
from tests.helpers import wait_until
from tests.ports import free_port

pytestmark = pytest.mark.servers

REMEDY = {"name": "first", "match": ['alertname="A"'], "task": "log-rotation", "target": "app"}


def write(path: Path, **sections: object) -> None:
    """Replaces the file as an editor does: a new one is renamed onto it."""
    draft = path.with_suffix(".new")
    draft.write_text(
        yaml.safe_dump({"collectors": {"docker": {"enabled": False}}, "schedule": {"jobs": []}, **sections})
    )
    draft.rename(path)


async def test_a_good_change_is_taken_and_a_bad_one_is_not(tmp_path: Path) -> None:
    config, state, port = tmp_path / "upkeeper.yml", tmp_path / "state", free_port()
    log = tmp_path / "remediator.log"
    api = Api(f"http://127.0.0.1:{port}", state)

    def names() -> list[str]:
        return [remedy["name"] for remedy in api.get("remedies")["items"]]

    def reloaded(successful: float) -> bool:
        metrics = httpx.get(f"{api.url}/metrics", timeout=10, verify=False).text
        return f"upkeeper_config_last_reload_successful {successful}\n" in metrics

    write(config, remedies=[REMEDY])
    arguments = ("--config", config, "--state-dir", state, "--listen", f"127.0.0.1:{port}")
    with upkeeper("remediator", *arguments, log=log):
        await wait_until(api.ready, what="the remediator to be ready")
        assert names() == ["first"]
        assert reloaded(1.0)
        write(config, remedies=[REMEDY, {**REMEDY, "name": "second"}])
        await wait_until(names, equals=["first", "second"], what="the second remedy")
        write(config, remedies=[{**REMEDY, "autonomie": "auto"}])
        await wait_until(lambda: reloaded(0.0), what="the bad config to be noticed")
        assert names() == ["first", "second"]
        assert "remedies[0].autonomie: unknown key (did you mean autonomy?)" in log.read_text()
        write(config, remedies=[{**REMEDY, "name": "third"}])
        await wait_until(lambda: names() == ["third"] and reloaded(1.0), what="the mended config")
