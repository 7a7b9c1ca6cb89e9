#!/bin/sh
# Docker: `OOMKilled` of a running container is about one life or another, by engine.
#
# By the API's reference it is about processes killed since the container's last start
# (https://docs.docker.com/reference/api/engine/). Seen:
#   20.10  a container that ended for want of memory and runs well again is still OOMKilled=true; one of which a child was
#          killed in this very life is OOMKilled=false, until it is stopped: then it is true.
#   29+    (API 1.56, v2.0.0-beta.24) the other way round, as the API says.
#   both   a container that a person stops, with exit code 137, is OOMKilled=true if a child of it was killed at any time
#          since its start: `docker stop` and an end for want of memory look the same.
# So the flag tells neither when, nor whether the container ended by it. The engine's events do.
#
# Runs a private engine of the distribution (packages docker.io, iproute2, busybox-static, as root), or the one that
# DOCKERD names, without a network. Exits 1 when it sees something else.
set -eu
. "$(dirname "$0")/private-dockerd.sh"

too_much="dd if=/dev/zero of=/dev/null bs=64M count=1"
run() { docker run -d --network none --memory 16m --memory-swap 16m --stop-signal KILL --name "$1" box:1 sh -c "$2" >/dev/null; }
state() { docker inspect --format '{{.State.Status}} code={{.State.ExitCode}} OOMKilled={{.State.OOMKilled}}' "$1"; }

run again "[ -e /second ] && exec sleep 1000; touch /second; exec $too_much"
docker wait again >/dev/null
expect "ended for want of memory" "$(state again)" "exited code=137 OOMKilled=true"
docker start again >/dev/null
run child "$too_much; touch /after; exec sleep 1000"
until docker diff child | grep -q /after; do sleep 0.1; done
if [ "${api#1.}" -lt 50 ]; then before=true now=false; else before=false now=true; fi
expect "the same, running again" "$(state again)" "running code=0 OOMKilled=$before"
expect "running, a child was killed in this life" "$(state child)" "running code=0 OOMKilled=$now"
docker stop child >/dev/null
expect "the same, stopped by a person" "$(state child)" "exited code=137 OOMKilled=true"
exit "$failed"
