#!/bin/sh
# age: a file whose head was damaged is refused in the same words, and with the same status, as one for another key.
#
# A file begins with a stanza for each recipient, then a MAC over these, then the content in chunks with a tag each. A
# changed character in the content is "failed to decrypt and authenticate", one in the MAC "bad header MAC". One in the
# stanza itself, in the ephemeral share or the wrapped key, makes the stanza one for somebody else: "no identity matched
# any of the recipients", as with a wrong identity file, and the MAC is never looked at. So by age alone a backup that
# lost a bit there looks like the wrong key, and who has the right key searches for another. A checksum of the encrypted
# bytes, kept elsewhere, tells the two apart.
#
# Takes age 1.1.1 (Debian 12) apart in a temporary folder. Exits 1 when it sees something else.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'age=1.1.1*' >/dev/null 2>&1
dpkg -x age_*.deb .
PATH=$work/usr/bin:$PATH
echo "age $(age --version)"
age-keygen -o right 2>/dev/null
age-keygen -o other 2>/dev/null
echo hello | age -r "$(age-keygen -y right)" >file

failed=0
expect() { # what, seen, wanted
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "  expected: $3"; failed=1; }
}
said() { # identity, file
    status=0
    age -d -i "$1" "$2" >/dev/null 2>err || status=$?
    echo "$(sed -n 's/^age: error: //p' err | head -n 1) ($status)"
}
changed() { # line, characters into it: one letter of base64 becomes another
    awk -v line="$1" -v at="$2" '
        BEGIN { RS = "\n"; ORS = "" }
        NR == line { c = substr($0, at, 1); $0 = substr($0, 1, at - 1) (c == "A" ? "B" : "A") substr($0, at + 1) }
        { print $0 "\n" }' head >head.changed
    cat head.changed rest >damaged
}
end=$(grep -abo '^---' file | cut -d: -f1)
size=$((end + 3 + 1 + 43 + 1))
head -c "$size" file >head
tail -c +$((size + 1)) file >rest
other="no identity matched any of the recipients (1)"
expect "another key" "$(said other file)" "$other"
changed 2 20
expect "the right key, a character of the share changed" "$(said right damaged)" "$other"
changed 3 20
expect "the right key, a character of the wrapped key changed" "$(said right damaged)" "$other"
changed 4 20
expect "the right key, a character of the MAC changed" "$(said right damaged)" "bad header MAC (1)"
{ cat head; head -c 20 rest; printf '\0\0'; tail -c +23 rest; } >damaged
expect "the right key, two bytes of the content changed" "$(said right damaged)" "failed to decrypt and authenticate payload chunk (1)"
exit "$failed"
