"""The table: how arguments become values, and that the parts of a Core do what it promises."""

import inspect
import typing
from typing import Any

import pytest

from remediator.api.operations import OPERATIONS, Operation, Operations
from remediator.api.parameters import answer, parameters
from remediator.control.access import Access
from remediator.control.approving import Approving
from remediator.control.cancelling import Cancelling
from remediator.control.cataloguing import Cataloguing
from remediator.control.configuring import Configuring
from remediator.control.explaining import Explaining
from remediator.control.fleet import Fleet
from remediator.control.forecasting import Forecasting
from remediator.control.holding import Holding
from remediator.control.reading import Reading
from remediator.control.rolling import Rolling
from remediator.control.running import Running
from remediator.control.scheduling import Scheduling
from remediator.control.standing import Standing
from remediator.control.trusting import Trusting

PARTS: dict[str, type] = {
    "reading": Reading,
    "standing": Standing,
    "running": Running,
    "approving": Approving,
    "trusting": Trusting,
    "explaining": Explaining,
    "cancelling": Cancelling,
    "holding": Holding,
    "access": Access,
    "scheduling": Scheduling,
    "cataloguing": Cataloguing,
    "forecasting": Forecasting,
    "configuring": Configuring,
    "fleet": Fleet,
    "rolling": Rolling,
}


class Recorder(Operations):
    """Answers each operation with what it was asked."""

    async def ask(self, operation: Operation, values: Any) -> Any:
        return operation.name, dict(values)


async def test_arguments_are_asked_by_name_and_what_is_left_out_is_not_asked() -> None:
    recorder = Recorder()
    assert await recorder.runs() == ("runs", {})
    assert await recorder.runs(limit=3) == ("runs", {"limit": 3})
    assert await recorder.run(7) == ("run", {"id": 7})
    assert await recorder.start_run("sweep", "attic", dry_run=True) == (
        "start_run",
        {"task": "sweep", "target": "attic", "dry_run": True},
    )


@pytest.mark.parametrize(
    "arguments",
    [((), {}), (("sweep",), {}), (("a", "b", {}, "d"), {}), (("a", "b"), {"task": "c"}), (("a", "b"), {"x": 1})],
)
async def test_arguments_that_the_operation_does_not_have_are_an_error(
    arguments: tuple[tuple[Any, ...], dict[str, Any]],
) -> None:
    given, named = arguments
    with pytest.raises(TypeError):
        await Recorder().plan(*given, **named)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_part_of_the_core_does_what_the_table_says(operation: Operation) -> None:
    done_by = getattr(PARTS[operation.part], operation.name)
    _, *takes = inspect.signature(done_by).parameters.values()
    hints = typing.get_type_hints(done_by)
    assert [(each.name, hints[each.name]) for each in takes] == [
        (each.name, each.whole) for each in parameters(operation)
    ]
    declared = inspect.signature(operation.declared).parameters
    assert [each.default for each in takes] == [declared[each.name].default for each in takes]
    assert hints["return"] == answer(operation)


def test_every_operation_has_a_name_and_a_route_of_its_own() -> None:
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)
