"""Writes numbered lines to a log until it gets SIGTERM, then prints how many: PATH APPEND REOPEN PAUSE."""

import os
import signal
import sys
import time


def main(path: str, append: bool, reopen: bool, pause: float) -> None:
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else 0)
    fd = os.open(path, flags, 0o644)
    count = 0
    while not stopping:
        line = b"%09d written by one that never stops\n" % count
        assert os.write(fd, line) == len(line)
        count += 1
        if pause:
            time.sleep(pause)
        if reopen and count % 100 == 0:
            os.close(fd)
            fd = os.open(path, flags, 0o644)
    os.close(fd)
    print(count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "1", sys.argv[3] == "1", float(sys.argv[4]))
