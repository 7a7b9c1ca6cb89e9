# Sourced. Starts a private Docker engine without a network (packages docker.io, iproute2, busybox-static, as root), or the
# one that DOCKERD names, with the image box:1 in it, and ends it with the script. Sets `api`, and `docker` talks to it.
dockerd=${DOCKERD:-dockerd}
work=$(mktemp -d)
host=unix://$work/d.sock
docker() { command docker -H "$host" "$@"; }
finish() {
    docker ps -aq 2>/dev/null | while read -r id; do docker rm -f "$id" >/dev/null 2>&1 || true; done
    [ -z "${pid:-}" ] || { kill "$pid" && wait "$pid" || true; }
    awk -v below="$work/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
    rm -rf "$work"
}
trap finish EXIT
export DOCKER_CONFIG="$work/cli"
mkdir "$work/cli"
echo '{}' >"$work/daemon.json"
PATH=$(dirname "$(command -v "$dockerd")"):$PATH "$dockerd" --config-file="$work/daemon.json" --data-root="$work/root" \
    --exec-root="$work/exec" --pidfile="$work/pid" -H "$host" --bridge=none --iptables=false --ip6tables=false \
    --ip-forward=false >"$work/log" 2>&1 &
pid=$!
i=0
until docker version >/dev/null 2>&1; do
    i=$((i + 1))
    [ "$i" -lt 300 ] || { tail "$work/log"; exit 1; }
    sleep 0.2
done
api=$(docker version --format '{{.Server.APIVersion}}')
echo "engine $(docker version --format '{{.Server.Version}}'), API $api"

mkdir -p "$work/image/bin"
cp "$(command -v busybox)" "$work/image/bin/busybox"
for applet in sh dd sleep touch; do ln -s busybox "$work/image/bin/$applet"; done
tar -C "$work/image" -c . | docker import - box:1 >/dev/null

failed=0
expect() { # what, seen, wanted
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "  expected: $3"; failed=1; }
}
