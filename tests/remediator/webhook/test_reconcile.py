"""What is made of the difference between the record and Alertmanager."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from remediator.model.episode import Episode
from remediator.model.silence import INHIBITED, Matcher, Silence
from remediator.peers.alertmanager import KnownAlert
from remediator.webhook.reconcile import TOLD_LATE, UNHEARD, Changes, Key, Reading, View, compare

NOW = 100_000.0
LATE = 15.0 + TOLD_LATE


def known(name: str = "a", starts_at: float = NOW - 100, **more: Any) -> KnownAlert:
    return KnownAlert(
        name * 16, starts_at, {"alertname": name}, frozenset(more.pop("receivers", ["us", "people"])), **more
    )


def stored(name: str = "a", starts_at: float = NOW - 100, id: int = 1, **more: Any) -> Episode:
    return Episode(
        id, name * 16, starts_at, more.pop("ends_at", None), starts_at + 5, more.pop("heard_at", NOW - 50), **more
    )


def reading(*alerts: KnownAlert, **more: Any) -> Reading:
    return Reading(
        read_at=more.pop("read_at", NOW),
        started_at=more.pop("started_at", 0.0),
        alerts=alerts,
        told_within=15.0,
        **more,
    )


def view(episodes: Sequence[Episode], *readings: Reading, **more: Any) -> View:
    return View(episodes=episodes, readings=readings, receivers=["us"], now=NOW, **more)


def later(first: View) -> Changes:
    """What follows of the same difference once its webhook is late."""
    noticed = compare(first).noticed
    assert noticed, "nothing differs"
    return compare(replace(first, noticed=dict.fromkeys(noticed, NOW - LATE)))


def nothing(changes: Changes) -> bool:
    return not (changes.begun or changes.ended or changes.reopened or changes.muted or changes.noticed)


def test_no_difference() -> None:
    changes = compare(view([stored()], reading(known(starts_at=NOW - 100.0004))))
    assert nothing(changes)
    assert [one.id for one in changes.seen] == [1]


def test_a_webhook_has_its_time_before_it_counts_as_lost() -> None:
    lost = view([], reading(known()))
    assert compare(lost).begun == []
    ((alert, missed, before, muted),) = later(lost).begun
    assert (alert.labels["alertname"], missed, before, muted) == ("a", "firing", None, None)
    early = replace(lost, noticed={Key("begin", "a" * 16, NOW - 100): NOW - LATE + 1})
    assert compare(early).begun == []


def test_what_was_there_when_this_process_began_was_missed_while_it_was_down() -> None:
    assert later(view([], reading(known()), since=NOW - LATE)).begun[0].missed == "down"
    assert later(view([stored()], reading(), since=NOW - LATE)).ended[0].missed == "down"


def test_what_is_cut_off_from_a_group_is_taken_at_once() -> None:
    whole = view([], reading(known("a"), known("b")), at_once=lambda labels: labels["alertname"] == "b")
    ((alert, missed, _, _),) = compare(whole).begun
    assert (alert.labels["alertname"], missed) == ("b", "truncated")


def test_a_new_start_is_a_new_episode_and_ends_the_old_one() -> None:
    again = view([stored(starts_at=NOW - 900)], reading(known()))
    changes = later(again)
    ((_, missed, before, _),) = changes.begun
    assert missed == "firing"
    assert before == again.episodes[0]
    both = [stored(starts_at=NOW - 900), stored(id=2)]
    (ended,) = compare(view(both, reading(known()))).ended
    assert (ended.episode.id, ended.missed) == (1, None)


def test_an_older_start_is_seen_as_what_fires() -> None:
    changes = compare(view([stored()], reading(known(starts_at=NOW - 900))))
    assert nothing(changes)
    assert [one.id for one in changes.seen] == [1]


def test_others_alerts_and_those_that_would_not_be_sent_begin_nothing() -> None:
    for alert in (
        known(receivers=["people"]),
        known(silenced_by=["s"]),
        known(inhibited=True),
        known(processed=False),
        known(silenced_by=["s"], inhibited=True),
    ):
        assert nothing(compare(view([], reading(alert)))), alert
    assert nothing(compare(view([], reading(known(), timed=True))))


def test_an_end_that_was_lost() -> None:
    gone = view([stored()], reading())
    assert compare(gone).ended == []
    (ended,) = later(gone).ended
    assert (ended.episode.id, ended.missed) == (1, "resolved")


def test_an_empty_alertmanager_that_has_just_started_ends_nothing() -> None:
    fresh = reading(started_at=NOW - 419)
    episode = stored(heard_at=NOW - 415)
    assert nothing(compare(view([episode], fresh)))
    assert later(view([episode], reading(started_at=NOW - 421))).ended
    # Of two one is old enough to know.
    assert nothing(compare(view([episode], fresh, fresh)))
    assert later(view([episode], fresh, reading())).ended
    assert nothing(compare(view([episode], fresh, reading(known()))))


def test_what_a_fresh_alertmanager_had_and_has_no_longer_has_ended() -> None:
    episode = stored(heard_at=NOW - 18)
    assert nothing(compare(view([episode], reading(started_at=NOW - 19))))
    assert later(view([episode], reading(started_at=NOW - 19, had=["a" * 16]))).ended
    # An only one had what it sent.
    sent = reading(started_at=NOW - 60)
    assert later(view([episode], sent)).ended
    assert nothing(compare(view([episode], sent, sent)))
    assert nothing(compare(view([episode], sent, silent=1)))


def test_one_that_does_not_answer_may_know_of_it() -> None:
    assert nothing(compare(view([stored()], reading(), silent=1)))
    assert nothing(compare(view([stored()], silent=2)))
    unheard = view([stored(heard_at=NOW - UNHEARD - 1)], reading(), silent=1)
    assert later(unheard).ended


def test_what_came_after_alertmanager_was_asked_has_not_ended() -> None:
    assert nothing(compare(view([stored(heard_at=NOW - 1)], reading(read_at=NOW - 2))))


def test_no_answer_changes_nothing() -> None:
    kept = {Key("end", "a" * 16, 1.0): 2.0}
    assert compare(view([stored()], silent=1, noticed=kept)) == Changes(noticed=kept)


def test_under_a_silence_the_end_counts_at_once_and_was_not_missed() -> None:
    for episode in (stored(held=True), stored(muted="silenced by anna")):
        (ended,) = compare(view([episode], reading())).ended
        assert ended.missed is None


def test_a_persons_silence_is_noted_and_forgotten() -> None:
    silence = Silence([Matcher("a", "b")], 0.0, NOW, "anna", "moving\nhouse", id="s")
    by_anna = reading(known(silenced_by=["s"]), silences={"s": silence})
    assert compare(view([stored()], by_anna)).muted == {1: "silenced by anna: moving house"}
    assert compare(view([stored(muted="silenced by anna: moving house")], by_anna)).muted == {}
    assert compare(view([stored(muted="silenced by anna")], reading(known()))).muted == {1: None}
    assert compare(view([stored()], reading(known(inhibited=True)))).muted == {1: INHIBITED}


def test_our_own_silence_mutes_nothing() -> None:
    held = reading(known(silenced_by=["ours"]))
    assert nothing(compare(view([stored()], held, ours=["ours"])))
    assert later(view([], held, ours=["ours"])).begun
    both = reading(known(silenced_by=["ours", "s"]))
    assert compare(view([stored()], both, ours=["ours"])).muted == {1: "silenced"}


def test_muted_is_what_is_muted_everywhere() -> None:
    assert nothing(compare(view([stored()], reading(known(silenced_by=["s"])), reading(known()))))


def test_a_remedy_may_act_on_what_is_silenced_and_not_on_what_is_inhibited() -> None:
    wants = {"acts_when_silenced": lambda _: True}
    ((_, missed, _, muted),) = compare(view([], reading(known(silenced_by=["s"])), **wants)).begun
    assert (missed, muted) == (None, "silenced")
    assert nothing(compare(view([], reading(known(inhibited=True)), **wants)))


def test_an_end_that_was_told_wrongly_is_undone() -> None:
    ended = stored(ends_at=NOW - 50)
    told = reading(known(updated_at=NOW - 10))
    for readings in ([told], [told, reading()], [told, reading(known(updated_at=NOW - 90))]):
        assert [one.id for one in later(view([ended], *readings)).reopened] == [1]
    # One still has what has ended until it times out.
    assert nothing(compare(view([ended], reading(known(updated_at=NOW - 90)))))
    assert nothing(compare(view([ended], reading(known(updated_at=NOW - 10, silenced_by=["s"])))))
    assert nothing(compare(view([ended], reading(known(updated_at=NOW - 10), timed=True))))
    older = reading(known(updated_at=NOW - 10, starts_at=NOW - 900))  # as one of two may have it
    assert later(view([ended], older)).reopened


def test_a_difference_that_is_over_begins_anew_the_next_time() -> None:
    lost = view([], reading(known()))
    noticed = compare(lost).noticed
    over = compare(replace(lost, readings=[reading()], noticed=noticed))
    assert over.noticed == {}
