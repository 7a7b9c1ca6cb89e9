#!/usr/bin/env bash
# An env file may hand on a variable by its bare name. Where that name is the last thing in the file and no line break
# follows, Docker Compose 2 and 5 do not hand it on: the container gets a variable with an empty name, whose value is the
# name. Compose 1.29 handed it on. Many editors and `printf` write no last line break.
#
# Builds Compose from its Go modules in a temporary folder (needs go, some minutes), or takes programs from
# COMPOSE_PROGRAMS, with colons between them. Exits 1 when a version behaves otherwise.
set -euo pipefail

. "$(dirname "$0")/compose-programs.bash"

mkdir "$folder/project" && cd "$folder/project"
echo 'services: {app: {image: busybox, env_file: names.env}}' >compose.yaml
status=0
for program in "${programs[@]}"; do
    echo "== $program ($("$program" version --short))"
    printf 'FIRST=1\nMY_TOKEN\n' >names.env
    with=$(MY_TOKEN=handed-on "$program" config --format json | tr -d ' \n')
    printf 'FIRST=1\nMY_TOKEN' >names.env
    without=$(MY_TOKEN=handed-on "$program" config --format json | tr -d ' \n')
    for said in "$with" "$without"; do
        grep -o '"environment":{[^}]*}' <<<"$said"
    done
    grep -q '"MY_TOKEN":"handed-on"' <<<"$with" || { echo "with a line break it is not handed on either"; status=1; }
    grep -q '"":"MY_TOKEN"' <<<"$without" || { echo "the behaviour has changed"; status=1; }
done
exit $status
