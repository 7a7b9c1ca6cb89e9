"""A machine with a systemd of its own is rebooted by the remediator that runs on it.

Under `make torture`: its base alone takes a minute to make.
"""

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers import long_form, wait_until
from tests.systemd_machine import SystemdMachine

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.torture,
    pytest.mark.skipif(not long_form(), reason="a machine that reboots is part of `make torture`"),
]

ROOT = Path(__file__).resolve().parents[4]

CONFIG = """\
services:
  - {name: web, probes: [{url: "http://127.0.0.1:8080/"}]}
reboots: {down_within: 3m, back_within: 30s}
"""
WEB = """\
[Service]
ExecStart=/usr/bin/perl /srv/web.pl
[Install]
WantedBy=multi-user.target
"""
SERVER = """\
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8080", Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
    my $line = <$client>;
    print $client "HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n";
    close $client;
}
"""


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[SystemdMachine]:
    made = SystemdMachine(tmp_path, ROOT)
    try:
        made.write("etc/upkeeper/upkeeper.yml", CONFIG)
        made.write("etc/systemd/system/web.service", WEB)
        made.write("srv/web.pl", SERVER)
        made.enable("web.service")
        subprocess.run(
            [made.upkeeper, "install", "--systemd", "--root", made.root, "--program", "/usr/local/bin/upkeeper"],
            check=True, capture_output=True,
        )  # fmt: skip
        made.enable("upkeeper-remediator.service")
        await made.start()
        yield made
    finally:
        made.close()


async def rebooted(machine: SystemdMachine) -> dict[str, object]:
    """The run that rebooted it, once it has ended."""
    former = machine.boot()
    machine.run("upkeeper", "run", "reboot", "host", "--no-wait")
    await machine.rebooted(former)

    def ended() -> dict[str, object] | None:
        said = machine.run("upkeeper", "show", "1", "--json")
        run: dict[str, object] = json.loads(said) if said else {}
        return run if run.get("outcome") else None

    return await wait_until(ended, timeout=120)


async def test_the_run_that_began_before_the_reboot_ends_after_it(machine: SystemdMachine) -> None:
    machine.run("sh", "-c", "touch /run/reboot-required; echo libc6 > /run/reboot-required.pkgs")

    run = await rebooted(machine)

    assert run["outcome"] == "effective", run
    (action,) = run["actions"]  # type: ignore[misc]
    assert action["state"] == "done"
    assert "all is back" in action["detail"]
    assert not machine.run("cat", "/run/reboot-required")


async def test_what_does_not_come_back_is_named_and_the_machine_is_not_rebooted_again(machine: SystemdMachine) -> None:
    machine.run("sh", "-c", "touch /run/reboot-required; rm /etc/systemd/system/web.service")  # it runs on, until then

    run = await rebooted(machine)
    after = machine.boot()

    assert run["outcome"] == "failed", run
    assert "web/http does not" in str(run["reason"]) or "probe web" in str(run["reason"]), run
    assert machine.boot() == after
