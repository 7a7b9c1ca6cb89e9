"""What a message says that one can do, by what its alert says of that. Pure."""

from dataclasses import replace

from remediator.model.story import Done, Ran, Story
from remediator.telling.news import News
from remediator.telling.words import Place, message

RAN = Ran(7, "sweep", "attic", "tidy", "finished", "ineffective", "it is no better", 100.0, 101.0, 102.0)
STORY = Story(1, "aa", {"alertname": "Cluttered", "severity": "warning"}, {}, 90.0, None, 91.0, run=RAN)


def todo(**annotations: str) -> str:
    story = replace(STORY, annotations={"summary": "attic: 3 files", **annotations})
    return message(News(story, "failed", "run 7", 102.0, 120.0), Done(), Place("pa-host")).todo


def test_what_did_not_help_is_told_with_what_the_alert_says_to_do_first() -> None:
    assert todo(action="See what clutters it: `upkeeper plan sweep attic`.") == (
        "See what clutters it: `upkeeper plan sweep attic`."
    )
    assert todo() == "look at it yourself."


def test_it_is_one_line_without_what_is_secret_or_hidden() -> None:
    said = todo(action="Log in\n with password=hunter2hunter2\u202e and " + "w" * 500)
    assert "\n" not in said
    assert "hunter2hunter2" not in said
    assert "\u202e" not in said
    assert len(said) <= 240
