"""A small process to supervise: answers 200 on its port. Run as a file: ``stand_in.py PORT [stubborn|parent]``.

``stubborn`` ignores SIGTERM. ``parent`` starts a process of its own and prints its id.
"""

import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Ready(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing: only what the test asks for is output."""


def main() -> None:
    port, mode = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "parent":
        print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
    signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
    print("serving", flush=True)
    HTTPServer(("127.0.0.1", port), Ready).serve_forever()


if __name__ == "__main__":
    main()
