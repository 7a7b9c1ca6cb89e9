"""Sets in a restic repository: each file a snapshot of its own, streamed into it, and the manifest the last one."""
