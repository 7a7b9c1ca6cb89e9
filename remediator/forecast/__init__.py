"""When a thing will be full, by what it did so far: pure, and without any library."""
