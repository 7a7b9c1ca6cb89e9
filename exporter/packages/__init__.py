"""Package managers of the host, one file each."""
