"""Another rotation tool: writes a line to a log and moves the log away, over and over until its input ends.

What it moved stands in one archive, so that it can go on for as long as it likes. Prints how many lines it wrote.
"""

import os
import select
import sys


def main(log: str, archive: str) -> None:
    count = 0
    aside = f"{archive}.part"
    with open(archive, "ab") as kept:
        while not select.select([sys.stdin], [], [], 0)[0]:
            fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(fd, b"%d\n" % count)
            os.close(fd)
            count += 1
            try:
                os.rename(log, aside)
            except FileNotFoundError:
                continue
            with open(aside, "rb") as moved:
                kept.write(moved.read())
            os.unlink(aside)
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
