#!/usr/bin/env bash
# `${OPTIONS:-{}}` has the default `{}` in Docker Compose, and `${OPTIONS:-{"a": 1}} ${MORE:-x}` works as well. But
# `${OPTIONS:-{}} ${MORE:-x}`, both on one line, is refused as an invalid interpolation format: when Compose looks for the
# brace that closes a reference, it skips the character after each opening one, so that `{}` counts as open, the reference
# seems to end with the last brace of the line, and its default is `{}} ${MORE:-x`.
#
# Builds Compose from its Go modules in a temporary folder (needs go, some minutes), or takes programs from
# COMPOSE_PROGRAMS, with colons between them. Exits 1 when a version behaves otherwise.
set -euo pipefail

. "$(dirname "$0")/compose-programs.bash"

mkdir "$folder/project" && cd "$folder/project"
status=0
for program in "${programs[@]}"; do
    echo "== $program ($("$program" version --short))"
    check() { # value, what must be said
        printf "services: {app: {image: busybox, environment: {V: '%s'}}}\n" "$1" >compose.yaml
        said=$("$program" config 2>&1 | grep -E 'V:|invalid interpolation' || true)
        echo "$1  ->  $(xargs -0 <<<"$said")"
        grep -qF -- "$2" <<<"$said" || { echo "the behaviour has changed"; status=1; }
    }
    check '${OPTIONS:-{}}' "V: '{}'"
    check '${OPTIONS:-{"a": 1}} ${MORE:-x}' "V: '{\"a\": 1} x'"
    check '${OPTIONS:-{}} ${MORE:-x}' "invalid interpolation format for services.app.environment.V"
done
exit $status
