"""Runs that interrupt something, a few at a time."""

from dataclasses import replace

from remediator.config.guards import Concurrency, GuardSettings
from remediator.guards.concurrency import Rivals, block_by, blocks
from remediator.guards.guard import Subject
from remediator.store.slots import Rival
from tests.remediator.guards.cases import SUBJECT, case

DISRUPTIVE = {"t": True, "quiet": False}
ACTING, COMING = Rival(7, "t", "cellar", acting=True), Rival(8, "t", "shed", acting=False)
ABOUT_TO_ACT = replace(SUBJECT, run_id=9)
REASON = "run 7 (t on cellar) comes first: at most one run that may interrupt a service at a time"


def test_one_at_a_time_unless_told_otherwise() -> None:
    assert blocks(Rivals(DISRUPTIVE), case()) is None
    hold = blocks(Rivals(DISRUPTIVE, [ACTING]), case())
    assert hold is not None
    assert (hold.reason, hold.until) == (REASON, None)
    two = GuardSettings(concurrency=Concurrency(disruptive_per_host=2))
    assert blocks(Rivals(DISRUPTIVE, [ACTING]), case(two)) is None
    assert blocks(Rivals(DISRUPTIVE, [ACTING], [COMING]), case(two)) is not None


def test_two_that_are_about_to_act_do_not_wait_for_each_other() -> None:
    assert blocks(Rivals(DISRUPTIVE, [], [COMING]), case()) is not None
    assert blocks(Rivals(DISRUPTIVE, [], [COMING]), case(subject=ABOUT_TO_ACT)) is None
    assert blocks(Rivals(DISRUPTIVE, [ACTING]), case(subject=ABOUT_TO_ACT)) is not None


def test_what_interrupts_nothing_neither_waits_nor_is_waited_for() -> None:
    quiet = Subject("here", "quiet", "attic")
    assert blocks(Rivals(DISRUPTIVE, [ACTING]), case(subject=quiet)) is None
    assert blocks(Rivals(DISRUPTIVE, [ACTING]), case(subject=replace(SUBJECT, observing=True))) is None
    known = Rivals(DISRUPTIVE)
    assert known.with_run(SUBJECT, quiet, 9) == known
    assert known.with_run(SUBJECT, Subject("there", "t", "cellar"), 9) == known
    assert known.with_run(SUBJECT, Subject("here", "t", "cellar", observing=True), 9) == known


def test_one_that_was_stored_since_counts_and_one_that_nobody_knows() -> None:
    known = Rivals(DISRUPTIVE).with_run(SUBJECT, Subject("here", "t", "cellar"), 9)
    assert blocks(known, case()) is not None
    assert blocks(Rivals(DISRUPTIVE).with_run(SUBJECT, Subject("here", "new", "cellar"), 9), case()) is not None
    assert block_by([ACTING], 1).reason == REASON
