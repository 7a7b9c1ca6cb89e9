#!/bin/sh
# SQLite: a database in WAL mode that nobody has open cannot even be READ on a full disk, since the first reader makes
# two files beside it (NAME-wal and NAME-shm). The error does not say so: "disk I/O error", or on XFS, which has no room
# for an inode while it shows free blocks, "unable to open database file". SQLite's VFS unix-excl keeps the index in
# memory and reads; where no inode is left, only `immutable=1` does.
#
# Who keeps the history of what was done to a machine in such a file cannot show it when the disk is full. One has to
# open it in another way then, which locks all other processes out (unix-excl) or is right only while nobody writes
# (immutable).
#
# Needs root, for a small file system of its own. Tried with SQLite 3.40.1, Linux 6.18. Exits 1 when this has changed.
set -eu
work=$(mktemp -d)
trap 'umount "$work/disk" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/disk"
python3 -c 'import sqlite3; print("SQLite", sqlite3.sqlite_version)'
changed=0

try() { # try KIND: a full file system of this kind
    case $1 in
    tmpfs) mount -t tmpfs -o size=4m tmpfs "$work/disk" ;;
    ext4) truncate -s 16M "$work/image" && mkfs.ext4 -q -m 0 "$work/image" && mount -o loop "$work/image" "$work/disk" ;;
    xfs) truncate -s 320M "$work/image" && mkfs.xfs -q "$work/image" && mount -o loop "$work/image" "$work/disk" ;;
    esac
    python3 - "$work/disk" "$1" <<'PYTHON' || changed=1
import contextlib, os, sqlite3, sys
disk, kind = sys.argv[1:]
path = f"{disk}/record.db"
with contextlib.closing(sqlite3.connect(path)) as made:
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("CREATE TABLE runs (id)")
    made.execute("INSERT INTO runs VALUES (1)")
    made.commit()
for size in (1 << 20, 65536, 4096, 512):  # takes all the room there is
    with contextlib.suppress(OSError), open(f"{disk}/filler-{size}", "wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * size)
    os.sync()

def read(query):
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}{query}", uri=True)) as connection:
            return f"reads {connection.execute('SELECT count(*) FROM runs').fetchone()[0]} row"
    except sqlite3.Error as error:
        return str(error)

seen = [read(query) for query in ("", "?mode=ro", "?vfs=unix-excl", "?immutable=1")]
for how, what in zip(("as usual", "mode=ro", "vfs=unix-excl", "immutable=1"), seen):
    print(f"{kind:<6} {how:<14} {what}")
refused = "unable to open database file" if kind == "xfs" else "disk I/O error"
expected = [refused, refused, refused if kind == "xfs" else "reads 1 row", "reads 1 row"]
if seen != expected:
    print(f"{kind}: expected {expected}")
    sys.exit(1)
PYTHON
    umount "$work/disk"
    rm -f "$work/image"
}

try tmpfs
try ext4
if command -v mkfs.xfs >/dev/null; then try xfs; fi
exit "$changed"
