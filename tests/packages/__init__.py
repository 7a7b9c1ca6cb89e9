"""What people install: the Debian package under a real systemd, the wheel, the image, by `make package-test`."""
