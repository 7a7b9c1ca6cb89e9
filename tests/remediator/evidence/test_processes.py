import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.evidence.processes import MOST, Process, list_processes, parse_stat, top_processes

STAT = "42 (a b) (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 777 1000000 300 18446744073709551615"


def test_a_command_may_hold_blanks_and_brackets() -> None:
    assert parse_stat(STAT, 100, 4096) == Process(42, "a b) (c", "S", 300 * 4096, 3.0, 777)


@pytest.mark.parametrize("text", ["", "42", "42 (x", "42 (x) S 1 2"])
def test_what_the_kernel_does_not_write_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse_stat(text, 100, 4096)


def test_those_that_use_most_are_listed() -> None:
    before = [Process(number, f"p{number}", "S", number << 20, 1.0, 5) for number in range(1, 21)]
    after = [replace(one, cpu=1.0 + one.pid / 100) for one in before[:5]] + before[5:]
    reused = Process(99, "new", "R", 1 << 20, 50.0, 6)
    lines = list(list_processes(before, [*after, reused], 0.5))
    memory, cpu = lines[1 : MOST + 1], lines[MOST + 2 :]
    assert memory[0] == "  p20 (pid 20, state S): 20 MiB, 0% of a CPU"
    assert len(memory) == MOST
    assert cpu == [
        f"  p{number} (pid {number}, state S): {number} MiB, {number * 2}% of a CPU" for number in range(5, 0, -1)
    ]


async def test_the_largest_process_is_found_and_its_arguments_are_not_shown() -> None:
    hold = "import sys; held = bytearray(700 << 20); print(flush=True); sys.stdin.read()"
    large = subprocess.Popen(
        [sys.executable, "-c", hold, "--password=hunter2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert large.stdout is not None
        large.stdout.readline()
        lines = await top_processes()
    finally:
        large.kill()
        large.communicate()
    assert any(f"(pid {large.pid}, " in line for line in lines[: lines.index("most CPU:")])
    assert "hunter2" not in "\n".join(lines)


async def test_where_there_is_no_such_directory_it_fails() -> None:
    with pytest.raises(OSError, match="No such file"):
        await top_processes(Path("/nonexistent") / str(os.getpid()))
