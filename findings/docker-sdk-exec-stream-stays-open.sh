#!/bin/sh
# Docker SDK for Python: the output of an exec that was read to its end as an iterator leaves its connection open.
#
# An exec's connection is turned into one of raw bytes (101 UPGRADED) and cannot go back to the pool. `exec_start` without
# more closes it with the answer; with stream=True, which keeps memory flat, the end of the output closes nothing: the
# socket hangs in a circle of references until Python looks for those by itself. A service that runs a command in a
# container every few seconds holds many open sockets, of the engine as well, and one that has switched that search off
# holds all of them. The iterator's own close() changes nothing once it was read to its end. With socket=True one can close
# the socket below the returned object; closing that object alone closes nothing.
#
# Runs a private engine of the distribution (packages docker.io, iproute2, busybox-static, as root), or the one that
# DOCKERD names, without a network, and the SDK that is pinned below. Exits 1 when it sees something else.
set -eu
. "$(dirname "$0")/private-dockerd.sh"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet docker==7.2.0
docker run -d --network none --name box box:1 sleep 1000 >/dev/null
seen=$("$work/venv/bin/python" - "$host" <<'PY'
import gc, os, sys
import docker

client = docker.APIClient(base_url=sys.argv[1], version="auto")
gc.disable()


def held(run):
    """Descriptors that are open after twenty more commands than before them; and after a search for circles."""
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        run(client.exec_create("box", ["sh", "-c", "echo hello"])["Id"])
    after = len(os.listdir("/proc/self/fd"))
    gc.collect()
    # The one connection that is kept for other requests may have gone meanwhile.
    return f"{max(0, after - before)}, then {max(0, len(os.listdir('/proc/self/fd')) - before)}"


def at_once(made):
    assert client.exec_start(made) == b"hello\n"


def as_it_comes(made):
    assert b"".join(client.exec_start(made, stream=True)) == b"hello\n"


def as_it_comes_and_closed(made):
    output = client.exec_start(made, stream=True)
    assert b"".join(output) == b"hello\n"
    output.close()


def below(made):
    stream = client.exec_start(made, socket=True)
    while stream.read(4096):
        pass
    socket = stream._sock
    stream._response.close()
    socket.close()


print(docker.__version__)
held(at_once)  # the connection that is kept for other requests is there from now on
for run in (at_once, as_it_comes, as_it_comes_and_closed, below):
    print(held(run))
PY
)
echo "SDK $(echo "$seen" | sed -n 1p); sockets that 20 commands leave open, then after a search for circles:"
expect "  all of the output" "$(echo "$seen" | sed -n 2p)" "0, then 0"
expect "  as an iterator, to its end" "$(echo "$seen" | sed -n 3p)" "20, then 0"
expect "  the same, and closed" "$(echo "$seen" | sed -n 4p)" "20, then 0"
expect "  as a socket, closed below" "$(echo "$seen" | sed -n 5p)" "0, then 0"
exit "$failed"
