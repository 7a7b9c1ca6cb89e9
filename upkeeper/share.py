"""Where the files lie that ship with Upkeeper and are not code: see remediator/share.py."""

from remediator.share import share_path

__all__ = ["share_path"]
