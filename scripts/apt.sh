# Sourced. apt_install PACKAGE...: installs Debian packages, saying so first, or says what a person has to install and
# ends with status 2.

apt_install() (
    if ! command -v apt-get >/dev/null; then
        echo "error: these are missing, and this is not Debian or Ubuntu: $*" >&2
        echo "  install them your way, so that their programs are on PATH, and try again" >&2
        exit 2
    fi
    become=
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            become="sudo -n"
        else
            echo "error: not root, so these cannot be installed: $*" >&2
            echo "  run: sudo apt-get install --no-install-recommends $*" >&2
            exit 2
        fi
    fi
    echo "installing from the distribution: $*"
    before=$(packages_there)
    # What a package brings must not start as a service, now or at the next boot: nobody asked for it, and it would
    # take a port of its own. policy-rc.d is Debian's way to say so; one that is already there is left as it is.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$become rm -f "$policy"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '#!/bin/sh\nexit 101\n' | $become tee "$policy" >/dev/null
        $become chmod 755 "$policy"
    fi
    if ! $become apt-get update -qq ||
        ! $become env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; then
        echo "error: apt-get could not install: $*" >&2
        exit 2
    fi
    if command -v systemctl >/dev/null; then
        units=$(units_since "$before")
        # shellcheck disable=SC2086
        [ -z "$units" ] || $become systemctl disable --quiet $units 2>/dev/null || true
    fi
)

packages_there() {
    dpkg-query --show --showformat='${binary:Package}\n'
}

# units_since PACKAGES: the systemd units of the packages that have come since then, templates left out.
units_since() {
    { printf '%s\n' "$1"; packages_there; } | sort | uniq -u | while read -r package; do
        dpkg-query --listfiles "$package"
    done | grep -E '/systemd/system/[^/@]+\.(service|socket|timer)$' | sed 's|.*/||' | sort -u
}

# missing PROGRAM:PACKAGE...: prints the packages whose program is not on PATH.
missing() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || printf '%s ' "${pair#*:}"
    done
}
