"""A Debian of its own to update: a cached root below an overlay, with archives of tiny packages on loopback."""
