"""What an engine's listings say of sandboxes. Pure."""

from remediator.sandbox.labels import Piece, Standing, labels, standing

OURS = labels("s1", "disaster-recovery-test pa", 1000.4)


def test_all_pieces_of_a_sandbox_are_found_the_containers_first() -> None:
    found = standing(
        [{"Id": "c1", "Names": ["/s1-app"], "Labels": OURS}, {"Id": "c2", "Names": ["/n8n"], "Labels": {"a": "b"}}],
        [{"Id": "n1", "Name": "s1", "Labels": OURS}, {"Id": "n2", "Name": "bridge", "Labels": None}],
        [{"Name": "s1-data", "Labels": OURS}, {"Name": "n8n_data"}],
    )
    assert found == [
        Standing(
            "s1",
            "disaster-recovery-test pa",
            1000.0,
            (Piece("container", "c1", "s1-app"), Piece("network", "n1", "s1"), Piece("volume", "s1-data", "s1-data")),
        )
    ]


def test_a_sandbox_is_left_behind_once_its_time_is_over() -> None:
    one = Standing("s1", "", 1000.0, ())
    assert not one.left_behind(1000.0)
    assert one.left_behind(1000.5)


def test_one_whose_time_cannot_be_read_is_left_behind() -> None:
    (one,) = standing([{"Id": "c1", "Names": None, "Labels": {"upkeeper.sandbox": "s1"}}], [], [])
    assert (one.until, one.purpose) == (0.0, "")
    assert one.left_behind(1.0)


def test_two_sandboxes_are_two() -> None:
    other = labels("s0", "", 5.0)
    found = standing([], [], [{"Name": "a", "Labels": OURS}, {"Name": "b", "Labels": other}])
    assert [(each.name, [piece.id for piece in each.pieces]) for each in found] == [("s0", ["b"]), ("s1", ["a"])]
