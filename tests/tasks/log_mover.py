"""Another rotation tool: writes a line to a log, moves it to a name of its own, and so on until its input ends."""

import os
import select
import sys


def main(log: str) -> None:
    count = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(fd, b"%d\n" % count)
        os.close(fd)
        count += 1
        try:
            os.rename(log, f"{log}.moved.{count}.txt")
        except FileNotFoundError:
            continue
    print(count)


if __name__ == "__main__":
    main(sys.argv[1])
