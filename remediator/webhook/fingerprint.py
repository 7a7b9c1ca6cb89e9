"""An alert's fingerprint, for senders that leave it out of the payload. Pure."""

from collections.abc import Mapping

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1
"""Of FNV-1a with 64 bits."""
_SEPARATOR = b"\xff"
"""Stands in no valid UTF-8, so that ``a="bc"`` and ``ab="c"`` differ."""


def fingerprint(labels: Mapping[str, str]) -> str:
    """The fingerprint that Alertmanager gives to a set of labels: 16 hexadecimal digits.

    Source: ``LabelSet.Fingerprint`` in https://github.com/prometheus/common/blob/main/model/signature.go
    """
    hashed = _OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            hashed = (hashed ^ byte) * _PRIME & _MASK
    return f"{hashed:016x}"
