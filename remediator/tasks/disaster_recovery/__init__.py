"""disaster-recovery-test: a set comes back in a sandbox, and what it is for must be able to use it."""
