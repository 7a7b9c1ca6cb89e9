"""What an approval names, and what has changed."""

import json
from collections.abc import Sequence

from remediator.model.approval import Change, changes, former_plan_hash
from remediator.model.approval import plan_hash as hash_at
from remediator.model.task import Action


def action(object: str = "f", kind: str = "delete", **more: object) -> Action:
    return Action(kind=kind, object=object, reason="r", **more)  # type: ignore[arg-type]


HERE: dict[str, object] = {"host": "here", "task": "sweep", "target": "attic", "params": {"older": 3}}


def plan_hash(actions: Sequence[Action], **other: object) -> str:
    return hash_at(actions, **{**HERE, **other})  # type: ignore[arg-type]


def test_the_same_actions_elsewhere_are_another_plan() -> None:
    """Restarting the container ``app`` of one host is not restarting that of another."""
    places = [{}, {"host": "there"}, {"task": "mop"}, {"target": "cellar"}, {"params": {"older": 4}}, {"params": {}}]
    for actions in ([], [action()], [action(identity="f")]):
        assert len({plan_hash(actions, **place) for place in places}) == len(places)
        assert former_plan_hash(actions) not in {plan_hash(actions, **place) for place in places}
    # What separates the parts is not in what they may hold.
    assert plan_hash([], task='a","target":"b', target="c") != plan_hash([], task="a", target='b","target":"c')


def test_the_hash_of_earlier_releases_stays_what_it_was() -> None:
    assert former_plan_hash([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    known = "321740c66fd204d67379a066ba2ba354053a214079762dba6b657b2cf64f8ecf"
    assert former_plan_hash([action(params={"inode": 7}, items=2)]) == known


def test_the_hash_is_of_what_is_done_to_what() -> None:
    one = action(params={"inode": 7, "name": "f"}, items=2)
    same = action(params={"name": "f", "inode": 7}, items=2).model_copy(
        update={"reason": "older", "estimated_bytes": 9}
    )
    assert plan_hash([one]) == plan_hash([same])
    for other in (
        one.model_copy(update={"params": {"inode": 8, "name": "f"}}),
        one.model_copy(update={"items": 3}),
        one.model_copy(update={"kind": "truncate"}),
        one.model_copy(update={"object": "g"}),
    ):
        assert plan_hash([other]) != plan_hash([one])
    assert plan_hash([one, one]) != plan_hash([one])
    assert plan_hash([one, other]) != plan_hash([other, one]), "in another order it is another plan"


def test_it_survives_the_record() -> None:
    odd = action("\u202ename", params={"size": 2**60, "at": 1.5, "names": ["ä", "\x80"]})
    again = Action.model_validate(json.loads(json.dumps(odd.model_dump(mode="json"))))
    assert plan_hash([again]) == plan_hash([odd])


def test_an_identity_stands_for_object_and_parameters() -> None:
    now, later = action("log-1201", params={"to": "1201"}, identity="log"), action("log-1202", identity="log")
    assert plan_hash([now]) == plan_hash([later])
    assert plan_hash([now]) != plan_hash([action("log-1201", params={"to": "1201"})])
    assert changes([now], [later]) == []


def test_changes_are_told_by_object() -> None:
    before = [action("a"), action("b", params={"size": 1}), action("c")]
    after = [action("c"), action("b", params={"size": 2}), action("d")]
    assert changes(before, after) == [
        Change("gone", "delete", "a"),
        Change("changed", "delete", "b"),
        Change("added", "delete", "d"),
    ]
    assert changes(before, before[::-1]) == []


def test_what_a_plan_does_twice_is_counted() -> None:
    assert changes([action("a")], [action("a"), action("a")]) == [Change("added", "delete", "a")]
