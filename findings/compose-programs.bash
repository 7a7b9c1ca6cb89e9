# Sourced: makes the temporary $folder, which goes at the end, and ${programs[@]}, Docker Compose 2 and 5.
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT

build() { # module, version: the path of the program
    mkdir -p "$folder/$2" && cd "$folder/$2"
    go mod init build >/dev/null 2>&1
    go get "$1/cmd@$2" >/dev/null 2>&1
    go build -o "$folder/$2/docker-compose" "$1/cmd"
    echo "$folder/$2/docker-compose"
}

if [ -n "${COMPOSE_PROGRAMS:-}" ]; then
    IFS=: read -ra programs <<<"$COMPOSE_PROGRAMS"
else
    programs=("$(build github.com/docker/compose/v2 v2.40.3)" "$(build github.com/docker/compose/v5 v5.1.2)")
fi
