#!/bin/sh
# Docker, API 1.48 and up: an image without a tag that a running container has mounted (`--mount type=image`) goes with
# `docker image prune`, and with `docker rmi` without force.
#
# The removal of a tagged one is refused ("container ... is using its referenced image"), and so is that of an image without a
# tag from which a container is made. Such an image comes about when the tag of a mounted image moves on. The container runs
# on, but it cannot be made again. So whoever cleans up must look for mounts of the type image as well.
# Seen on 2026-11-27: v2.0.0-beta.24 (API 1.56), containerd image store.
#
# Runs the engine that DOCKERD names, of API 1.48 or later, privately (iproute2, busybox-static, as root), without a network.
# Exits 1 when it sees something else, and 2 on an older engine.
set -eu
. "$(dirname "$0")/private-dockerd.sh"
[ "${api#1.}" -ge 48 ] || { echo "engines before API 1.48 cannot mount images: name a newer one by DOCKERD=" >&2; exit 2; }

mkdir "$work/data"
run() { docker run -d --network none --stop-signal KILL --mount type=image,source="$2",target=/m --name "$1" box:1 sleep 1000; }
mounted() { # name, text: a running container with an image mounted that has a tag
    echo "$2" >"$work/data/file"
    tar -C "$work/data" -c . | docker import - "$1:1" >/dev/null
    run "$1" "$1:1" >/dev/null
}
removal() {
    if docker rmi "$1" >/dev/null 2>"$work/refusal"; then echo removed; else grep -o conflict "$work/refusal" | head -n 1; fi
}
mounted tagged one
expect "removing a mounted image by its tag" "$(removal tagged:1)" conflict
for way in rmi prune; do
    mounted "$way" "$way"
    image=$(docker image inspect --format '{{.Id}}' "$way:1")
    docker tag box:1 "$way:1"
    case $way in
    rmi) expect "removing one whose tag has moved on" "$(removal "$image")" removed ;;
    prune)
        docker image prune -f >/dev/null
        docker image inspect "$image" >/dev/null 2>&1 && left=there || left=gone
        expect "after docker image prune it is" "$left" gone
        ;;
    esac
    expect "its container" "$(docker inspect --format '{{.State.Status}}' "$way")" running
    run "$way-again" "$image" >/dev/null 2>&1 && again=starts || again=fails
    expect "another one of it" "$again" fails
done
exit "$failed"
