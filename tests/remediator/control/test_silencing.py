"""A pause that also silences, in a real Alertmanager."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.control.silencing import EVERYTHING, to_silence
from remediator.decide.remedies import Remedies
from remediator.model.caller import ASKING, Caller
from remediator.model.errors import RequestError
from remediator.model.silence import Matcher
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.conftest import REMEDY
from tests.remediator.house import House, alertmanager_config, house
from tests.servers import ALERTMANAGERS, alertmanager, alertmanager_program

OURS = ['instance=~"here:.*"', 'job!="other"']


def config(**peer: Any) -> Config:
    return Config.model_validate({"alertmanager": peer} if peer else {})


def test_what_is_silenced() -> None:
    remedies = Remedies([REMEDY, Remedy(name="a", match=['x!~"y|z"'], task="other", target="t")])
    assert to_silence(config(), remedies, None) == [list(EVERYTHING)]
    assert to_silence(config(), remedies, "sweep") == [[Matcher("alertname", "Cluttered")]]
    assert to_silence(config(), remedies, "other") == [[Matcher("x", "y|z", regex=True, equal=False)]]
    there = config(url="http://a", alerts_of_this_host=OURS)
    ours = [Matcher("instance", "here:.*", regex=True), Matcher("job", "other", equal=False)]
    assert to_silence(there, remedies, None) == [[*ours, *EVERYTHING]]
    assert to_silence(there, remedies, "sweep") == [[*ours, Matcher("alertname", "Cluttered")]]


@pytest.mark.parametrize(
    ("peer", "task", "said"),
    [({"url": "http://a"}, None, "set `alerts_of_this_host:`"), ({}, "stranger", "no remedy runs stranger")],
)
def test_what_cannot_be_told_is_refused(peer: dict[str, str], task: str | None, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        to_silence(config(**peer), Remedies([REMEDY]), task)
    assert refused.value.status == 422


@pytest.fixture(params=ALERTMANAGERS)
def program(request: pytest.FixtureRequest) -> Path:
    return alertmanager_program(request.param)


def there(url: str) -> dict[str, Any]:
    return {"url": url, "alerts_of_this_host": OURS}


async def matchers(h: House) -> list[Sequence[str]]:
    return [
        sorted(f"{one['name']}{'=' if one['isEqual'] else '!='}{one['value']}" for one in silence["matchers"])
        for silence in await h.silences()
    ]


@pytest.mark.servers
async def test_a_pause_silences_and_its_end_ends_that(tmp_path: Path, program: Path) -> None:
    written = alertmanager_config(tmp_path, "http://127.0.0.1:1/")
    async with (
        alertmanager(tmp_path / "am", written, program=program) as server,
        house(tmp_path, REMEDY, [server.url], alertmanager=there(server.url)) as h,
    ):
        everything = ["alertname!=Watchdog", "alertname=.+", "instance=here:.*", "job!=other"]
        (pause,) = await h.core.pause(None, "new disk", 7200.0, True)
        assert pause["silenced"]
        assert await matchers(h) == [everything]
        (silence,) = await h.silences()
        assert silence["comment"].startswith("Upkeeper pause of everything until ")
        assert silence["comment"].endswith(": new disk")
        await h.core.pause("sweep", "later", 3600.0, True)
        assert everything in await matchers(h)
        assert len(await matchers(h)) == 2
        # Another pause takes the place of the first one, without a silence.
        assert [one["silenced"] for one in await h.core.pause(None, "longer", None)] == [True, False]
        assert await matchers(h) == [["alertname=Cluttered", "instance=here:.*", "job!=other"]]
        await h.core.resume("sweep")
        assert await matchers(h) == []


@pytest.mark.servers
async def test_a_pause_by_somebody_else_ends_no_silence(tmp_path: Path) -> None:
    written = alertmanager_config(tmp_path, "http://127.0.0.1:1/")
    async with (
        alertmanager(tmp_path / "am", written) as server,
        house(tmp_path, REMEDY, [server.url], alertmanager=there(server.url)) as h,
    ):
        with asked_by(Caller("api", "ann")):
            await h.core.pause(None, "new disk", 7200.0, True)
        with asked_by(Caller("api", "bob")):
            with pytest.raises(RequestError, match=r"everything is paused until .* by ann \(new disk\)"):
                await h.core.pause(None, "a look", 600.0, True)
            assert len(await h.silences()) == 1
            (pause,) = await h.core.pause(None, "the whole night", 36000.0)
        assert (pause["reason"], pause["silenced"]) == ("the whole night", True)
        assert len(await h.silences()) == 1


@contextmanager
def asked_by(caller: Caller) -> Iterator[None]:
    token = ASKING.set(caller)
    try:
        yield
    finally:
        ASKING.reset(token)


@pytest.mark.servers
async def test_a_silence_that_alertmanager_lost_is_made_again(tmp_path: Path, program: Path) -> None:
    port = free_port()
    written = alertmanager_config(tmp_path, "http://127.0.0.1:1/")
    async with house(
        tmp_path, REMEDY, [f"http://127.0.0.1:{port}"], alertmanager=there(f"http://127.0.0.1:{port}")
    ) as h:
        start = partial(alertmanager, program=program, port=port)
        async with start(tmp_path / "am", written):
            await h.core.pause(None, "new disk", 7200.0, True)
            await h.core.keeper.keep()
            await h.core.reconciler.look()
        async with start(tmp_path / "another", written):  # with nothing of the first one
            assert await h.silences() == []
            await h.core.reconciler.look()
            await h.core.keeper.keep()
            assert len(await h.silences()) == 1
            h.clock.ahead += 7201
            await h.core.keeper.keep()
            await wait_until(h.silences, equals=[], what="the end of what is over")


async def test_without_alertmanager_nothing_is_paused(tmp_path: Path) -> None:
    async with house(tmp_path, REMEDY, ["http://127.0.0.1:1"], alertmanager=there("http://127.0.0.1:1")) as h:
        with pytest.raises(RequestError, match=r"cannot reach Alertmanager.* nothing was paused") as failed:
            await h.core.pause(None, "new disk", 7200.0, True)
        assert failed.value.status == 503
        assert await h.core.holding.paused() == []
        with pytest.raises(RequestError, match="must have an end") as refused:
            await h.core.pause(None, "new disk", None, True)
        assert refused.value.status == 422
