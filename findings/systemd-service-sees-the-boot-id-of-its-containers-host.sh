#!/bin/sh
# systemd-nspawn gives a container a boot id of its own, and two common lines in a unit take it away again.
#
# /proc/sys/kernel/random/boot_id is how programs tell one start of a machine from the next. A kernel has one, so
# systemd-nspawn mounts another over it in each container, new at each start. A service in the container with
# ProtectKernelTunables=yes, or with ProtectControlGroups=yes, reads the host's in its place: its id does not change when
# the container is started anew. PrivateTmp=yes, which needs a mount namespace too, leaves it as it is. Who decides by
# the id whether a reboot that was asked for has happened, asks for one again and again.
#
# Makes a Debian 12 with systemd 252 by mmdebstrap in a temporary folder (root; a minute and 250 MB) and starts it twice.
# Exits 1 when it sees something else.
set -eu
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -9 "$pid" 2>/dev/null || :; fi; rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include='systemd=252.*,systemd-sysv,dbus' bookworm "$work/root" >"$work/made" 2>&1 ||
    { cat "$work/made"; exit 2; }
echo "host: $(systemd-nspawn --version | head -n 1)"
echo "container: $(chroot "$work/root" systemctl --version | head -n 1)"

cat >"$work/root/usr/local/bin/note" <<'EOF'
#!/bin/sh
for line in PrivateTmp=yes ProtectKernelTunables=yes ProtectControlGroups=yes; do
    echo "$line $(systemd-run --pipe --wait --quiet --property=$line cat /proc/sys/kernel/random/boot_id)"
done >/noted
echo "none $(cat /proc/sys/kernel/random/boot_id)" >>/noted
systemctl poweroff
EOF
chmod 755 "$work/root/usr/local/bin/note"
cat >"$work/root/etc/systemd/system/note.service" <<'EOF'
[Service]
ExecStart=/usr/local/bin/note
EOF
mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
ln -s /etc/systemd/system/note.service "$work/root/etc/systemd/system/multi-user.target.wants/"

start() {
    rm -f "$work/root/noted"
    systemd-nspawn --quiet --directory="$work/root" --boot --register=no --keep-unit --private-network --console=pipe \
        </dev/null >"$work/log" 2>&1 &
    pid=$!
    # On some machines it complains about its own folder when the container has ended; what was noted says whether it ran.
    timeout 120 tail --pid="$pid" -f /dev/null
    wait "$pid" 2>/dev/null || :
    pid=
    cp "$work/root/noted" "$1"
}
start "$work/first"
start "$work/second"

host=$(cat /proc/sys/kernel/random/boot_id)
failed=0
seen() { # property, file: whose it is
    id=$(sed -n "s/^$1 //p" "$2")
    case $id in
    "") echo nothing ;;
    "$host") echo "the host's" ;;
    "$(sed -n 's/^none //p' "$2")") echo "the container's" ;;
    *) echo another ;;
    esac
}
expect() { # what, seen, wanted
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "  expected: $3"; failed=1; }
}
for run in first second; do
    expect "$run start, PrivateTmp=yes" "$(seen PrivateTmp=yes "$work/$run")" "the container's"
    expect "$run start, ProtectKernelTunables=yes" "$(seen ProtectKernelTunables=yes "$work/$run")" "the host's"
    expect "$run start, ProtectControlGroups=yes" "$(seen ProtectControlGroups=yes "$work/$run")" "the host's"
done
both=$(sort -u "$work/first" "$work/second" | grep -c '^none ')
expect "ids of the container in two starts" "$both" 2
exit "$failed"
