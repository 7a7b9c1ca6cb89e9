"""A program of ours that rotates one log directory over and over until its input ends.

PATH MAX_FILE_BYTES METHOD RECURSIVE. Prints a line when it begins, and how many rotations it did when it ends.
"""

import asyncio
import select
import sys
from pathlib import Path

from remediator.model.task import TaskError
from tests.remediator.tasks.log_rotation.logdir import task


async def main(path: str, size: int, method: str, recursive: bool) -> None:
    rules = {"max_file_bytes": size, "method": method, "keep_count": 99_999}
    rotation = task(Path(path), recursive=recursive, rotation=rules)
    count = 0
    print("begins", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for action in (await rotation.plan("logs")).actions:
            try:
                count += (await rotation.apply("logs", action)).state == "done" and action.kind == "rotate"
            except TaskError as error:
                print(error, file=sys.stderr)
    print(count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "1"))
