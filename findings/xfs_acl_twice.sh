#!/bin/sh
# XFS shows root each ACL of a file twice: as system.posix_acl_access, like every file system, and once more as an
# ordinary extended attribute, trusted.SGI_ACL_FILE. So a copy that takes extended attributes along, and leaves ACLs out
# on purpose, carries the ACL on XFS all the same, for root only: `rsync -X` without -A, and `tar --xattrs` with
# trusted.* and without --acls. On ext4 the same commands leave it behind. A user who was let in by the ACL of the
# original may read the copy too, whose mode nobody gave a named user.
# Upkeeper copies ACLs as ACLs and passes over the second name, so that a rotated log has exactly the ACL of its log.
# Needs root, and Debian's packages xfsprogs, e2fsprogs, acl, attr, rsync and tar.
set -eu
PATH=$PATH:/usr/sbin:/sbin

directory=$(mktemp -d)
trap 'cd /; for kind in xfs ext4; do umount "$directory/$kind" 2>/dev/null || true; done; rm -rf "$directory"' EXIT

rsync --version | head -n 1
tar --version | head -n 1
mkfs.xfs -V
uname -sr

named_in() { # whether the ACL of a file names a user
    if getfacl --absolute-names --omit-header --numeric "$1" | grep -q '^user:1234:r--'; then echo named; else echo none; fi
}

seen=
for kind in xfs ext4; do
    mount_point=$directory/$kind
    mkdir "$mount_point"
    truncate -s 400M "$directory/$kind.img"
    "mkfs.$kind" -q "$directory/$kind.img"
    mount -o loop "$directory/$kind.img" "$mount_point"
    cd "$mount_point"
    echo "a secret" >original
    chmod 600 original
    setfacl --modify user:1234:r original
    attributes=$(getfattr --match=- original | grep -c -e SGI_ACL_FILE -e posix_acl_access)
    rsync --xattrs original by-rsync
    mkdir by-tar
    tar --create --xattrs --xattrs-include='trusted.*' original | tar --extract --xattrs --xattrs-include='trusted.*' --directory by-tar
    here="$kind: $attributes attributes, rsync -X: $(named_in by-rsync), tar --xattrs: $(named_in by-tar/original)"
    echo "$here"
    seen="$seen$here;"
    cd /
done
[ "$seen" = "xfs: 2 attributes, rsync -X: named, tar --xattrs: named;ext4: 1 attributes, rsync -X: none, tar --xattrs: none;" ]
