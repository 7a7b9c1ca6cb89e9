"""What a file is marked with beside its content: owner, mode, ACL, extended attributes, inode flags, times."""

import contextlib
import errno
import os
import stat

from remediator.files import linux

_ACLS = ("system.posix_acl_access", "system.nfs4_acl")
_NOT_OURS = frozenset({"security.ima", "security.evm", "trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"})
"""Signatures of another content, and the ACLs once more, as XFS shows them to root."""
_REFUSED = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP})

# linux/fs.h: writes at once, no backup by dump, no times of reading; no copy on write, compressed by the file system.
_FLAGS = 0x8 | 0x40 | 0x80
_FLAGS_OF_EMPTY = 0x00800000 | 0x4


def copy_attributes(source: int, sink: int, *, times: bool = True) -> None:
    """Gives one open file what another is marked with. The sink is readable by its owner only until then.

    At no moment may anybody read the sink who may not read the source: what it inherited from a default ACL of its
    directory goes first, and the mode, which opens what an ACL masks, comes last.
    Raises OSError where the process may not, for example give a file to another owner. What protects nobody is left
    out where it is refused: attributes of the system's (``security.``, ``trusted.``) and inode flags.
    """
    facts, own = os.fstat(source), os.fstat(sink)
    if (facts.st_uid, facts.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(sink, facts.st_uid, facts.st_gid)
    wanted, present = _attributes(source), _attributes(sink)
    for name in _ACLS:
        if name in present and name not in wanted:
            os.removexattr(sink, name)
    for name, value in wanted.items():
        if present.get(name) != value:
            _set(sink, name, value)
    if stat.S_IMODE(facts.st_mode) != stat.S_IMODE(os.fstat(sink).st_mode):
        os.fchmod(sink, stat.S_IMODE(facts.st_mode))
    _copy_flags(source, sink)
    if times:
        os.utime(sink, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _set(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if not (error.errno in _REFUSED and name.startswith(("security.", "trusted."))):
            raise


def _attributes(fd: int) -> dict[str, bytes]:
    """The extended attributes; none where the file system has none."""
    try:
        return {name: os.getxattr(fd, name) for name in os.listxattr(fd) if name not in _NOT_OURS}
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return {}
        raise


def _copy_flags(source: int, sink: int) -> None:
    kept = _FLAGS if os.fstat(sink).st_size else _FLAGS | _FLAGS_OF_EMPTY
    with contextlib.suppress(OSError):  # many file systems have none
        wanted, own = linux.inode_flags(source), linux.inode_flags(sink)
        if (wanted ^ own) & kept:
            linux.set_inode_flags(sink, own & ~kept | wanted & kept)
