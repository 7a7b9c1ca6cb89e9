"""Breakers are those of remedies: each opens by its own settings, where several run one task."""

import pytest

from remediator.config.guards import Breaker
from remediator.config.remedies import Remedy
from remediator.model.errors import RequestError
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import Stack, alert, settings


def remedy(name: str, failures: int, **changes: object) -> Remedy:
    return REMEDY.model_copy(update={"name": name, "breaker": Breaker(failures=failures), **changes})


@pytest.mark.parametrize("strict_first", [True, False])
async def test_each_remedy_has_the_breaker_that_its_settings_say(stack: Stack, strict_first: bool) -> None:
    strict, patient = remedy("strict", 1), remedy("patient", 3, match=['alertname="Other"'])
    elsewhere = remedy("elsewhere", 1, target="cellar", target_label=None, match=['alertname="Third"'])
    order = [strict, patient] if strict_first else [patient, strict]
    stack.core.apply_settings(settings(stack.task, [elsewhere, *order]))
    stack.task.useless = True
    stack.clutter()
    await stack.receive(alert())
    await stack.finished(1)

    open_on = {each["name"]: each["open_breakers"] for each in (await stack.core.remedies())["items"]}
    assert open_on == {"elsewhere": [], "strict": ["attic"], "patient": []}
    (breaker,) = (await stack.core.status())["open_breakers"]
    assert (breaker["task"], breaker["target"]) == ("sweep", "attic")
    stack.clock.now += 61  # the cooldown of both
    await stack.receive(alert(alertname="Other"))
    await stack.finished(2)


async def test_a_person_is_held_back_by_the_remedy_of_that_target_alone(stack: Stack) -> None:
    stack.task.cellar = stack.attic.parent / "cellar"
    stack.task.cellar.mkdir()
    hasty = remedy("hasty", 3, target="cellar", target_label=None, cooldown=0.0)
    stack.core.apply_settings(settings(stack.task, [hasty, remedy("calm", 3)]))
    for number, room in enumerate((stack.attic, stack.task.cellar), 1):
        (room / "f").touch()
        await stack.core.start_run("sweep", room.name, dry_run=False)
        await stack.finished(number)
    assert (await stack.core.plan("sweep", "cellar"))["guards"] == []
    assert [block["guard"] for block in (await stack.core.plan("sweep", "attic"))["guards"]] == ["cooldown"]
    await stack.core.start_run("sweep", "cellar", dry_run=False)
    with pytest.raises(RequestError, match="cooldown"):
        await stack.core.start_run("sweep", "attic", dry_run=False)
