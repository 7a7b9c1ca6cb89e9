"""A run under way is in the way of another on the same target, and of nothing else."""

from remediator.guards.guard import Subject
from remediator.guards.history import History
from remediator.guards.in_flight import block_by, blocks
from remediator.model.hold import Hold
from tests.remediator.guards.cases import SUBJECT, case, gathered, judged


def test_a_run_under_way_holds_until_it_ends() -> None:
    hold = blocks(History(in_flight=7), case())
    assert hold == Hold("run 7 of the same task on this target is under way", None)
    assert blocks(History(), case()) is None


def test_one_that_came_in_between_is_told_in_the_same_words() -> None:
    assert [block_by(7)] == judged(History(in_flight=7)).blocks


def test_a_run_stored_since_the_facts_were_gathered_counts() -> None:
    known = gathered()
    known.add_run(Subject("here", "t", "cellar"), 1)
    known.add_run(Subject("here", "other", "attic"), 2)
    known.add_run(Subject("elsewhere", "t", "attic"), 2)
    assert known.judge(case()).first is None
    known.add_run(Subject(*SUBJECT.place, observing=True), 3)
    assert known.judge(case()).first == block_by(3)
