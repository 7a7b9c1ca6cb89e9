"""What restic says when it fails, as 0.14 and 0.18 do: one sentence with what helps."""

import json

import pytest

from remediator.tasks.backup.copies.explained import explained


def newer(code: int, message: str) -> str:
    return json.dumps({"message_type": "exit_error", "code": code, "message": message})


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (1, ["Fatal: wrong password or no key found"], "the password in /pw does not open R: correct it"),
        (12, [newer(12, "Fatal: wrong password or no key found")], "the password in /pw does not open R: correct it"),
        (
            1,
            [
                "Fatal: unable to open config file: stat nope/config: no such file or directory",
                "Is there a repository at the following location?",
                "nope",
            ],
            "R is no repository (restic: unable to open config file: stat nope/config: no such file or directory): "
            "make it with restic init, or mount what it should be on",
        ),
        (
            10,
            [newer(10, "Fatal: repository does not exist: unable to open config file")],
            "R is no repository (restic: repository does not exist: unable to open config file): "
            "make it with restic init, or mount what it should be on",
        ),
        (
            11,
            [newer(11, "unable to create lock in backend: repository is already locked by PID 7 on kitchen")],
            "R is locked: restic: unable to create lock in backend: repository is already locked by PID 7 on kitchen; "
            "wait until that has ended, or run restic unlock where its process is gone",
        ),
        (
            1,
            ['Fatal: unable to open config file: Head "http://h/": dial tcp 127.0.0.1:9: connect: connection refused'],
            'R cannot be used: restic: unable to open config file: Head "http://h/": dial tcp 127.0.0.1:9: connect: '
            "connection refused",
        ),
        (
            1,
            ["Fatal: unable to save snapshot: write: no space left on device"],
            "R has no room left (restic: unable to save snapshot: write: no space left on device); make room there: "
            "restic forget --prune",
        ),
        (3, ["Warning: at least one source file could not be read"], "restic could not read all files of the set: "
         "restic: Warning: at least one source file could not be read"),
        (1, [], "R cannot be used: restic: exit status 1"),
    ],
)  # fmt: skip
def test_it_is_one_sentence_with_what_helps(status: int, said: list[str], expected: str) -> None:
    assert explained("R", "/pw", status, said, []) == expected


def test_no_secret_is_quoted() -> None:
    told = explained("R", "/pw", 1, ["Fatal: s3: AccessDenied for hunter2-hunter2"], ["hunter2-hunter2"])
    assert told == "R cannot be used: restic: s3: AccessDenied for ***"
