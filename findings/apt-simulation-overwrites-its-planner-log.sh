#!/bin/sh
# apt: `apt-get --simulate` is not free of traces: as a user who may write there, it overwrites the planner's log.
#
# A simulation locks nothing and changes no package, and so is taken for read only; ordinary users may run it. Before it
# prints its `Inst` and `Remv` lines it hands the plan to its internal planner, which keeps what it was asked in
# /var/log/apt/eipp.log.xz (option Dir::Log::Planner): that of the last call only. So a monitoring program that simulates
# as root every hour replaces the one record of what the last real upgrade was asked to do, and writes to a disk where a
# dry run should write nothing. `-o Dir::Log::Planner=/dev/null` keeps it from that.
#
# Runs the distribution's apt (seen: 2.6.1) on a root of its own in a temporary folder, with a list of two installed
# packages and no archive. Exits 1 when it sees something else.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/etc/apt/apt.conf.d" "$work/etc/apt/preferences.d" "$work/etc/apt/sources.list.d" \
    "$work/var/lib/apt/lists/partial" "$work/var/lib/dpkg" "$work/var/cache/apt/archives/partial" "$work/var/log/apt"
status=$work/var/lib/dpkg/status
for name in one two; do
    printf '%s\n' "Package: $name" "Status: install ok installed" "Architecture: all" "Version: 1.0" \
        "Maintainer: nobody <nobody@example.org>" "Description: $name" "" >>"$status"
done
simulate() { apt-get --simulate -o Dir="$work/" -o Dir::State::status="$status" "$@" | grep '^Remv'; }
logged() { xz -dc "$work/var/log/apt/eipp.log.xz" 2>/dev/null | sed -n 's/^Remove: \([a-z]*\):.*/\1/p'; }

failed=0
expect() { # what, seen, wanted
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "  expected: $3"; failed=1; }
}
apt-get --version | head -n 1
expect "a simulation" "$(simulate remove one)" "Remv one [1.0]"
expect "what it left in the planner's log" "$(logged)" "one"
expect "the next one" "$(simulate remove two)" "Remv two [1.0]"
expect "what is in the log now" "$(logged)" "two"
expect "with the option" "$(simulate -o Dir::Log::Planner=/dev/null remove one)" "Remv one [1.0]"
expect "what is in the log now" "$(logged)" "two"
exit "$failed"
