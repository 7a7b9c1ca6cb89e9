"""Alertmanager itself reads the values that were put in, whatever is in them."""

import httpx
import pytest
import yaml

from remediator.config.notify import Notify
from tests.alertmanager.conftest import Start
from tests.ports import free_port
from tests.upkeeper.up.test_render import EMAIL, UGLY
from upkeeper.share import share_path
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

pytestmark = pytest.mark.servers


async def test_it_reads_ugly_values_back(start: Start, layout: Layout) -> None:
    password = layout.state.root / "password"
    password.write_text("s3cret")
    async with start({}) as server, httpx.AsyncClient(verify=False) as client:
        for value in UGLY:
            notify = {"email": EMAIL | {"username": value, "password_file": str(password)}}
            write_configs(layout, Ports.from_base(free_port()), Notify.model_validate(notify), share_path())
            (await client.post(f"{server.url}/-/reload")).raise_for_status()
            status = (await client.get(f"{server.url}/api/v2/status")).raise_for_status().json()
            people = yaml.load(status["config"]["original"], yaml.BaseLoader)["receivers"][1]
            assert people["email_configs"][0]["auth_username"] == value
