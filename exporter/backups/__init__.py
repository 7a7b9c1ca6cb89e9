"""Backups: sets in directories, snapshots in restic repositories, and what the tasks found out about both."""
