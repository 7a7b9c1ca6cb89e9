"""A Debian of its own to update: a cached debootstrap below an overlay, with archives of tiny packages on loopback."""
