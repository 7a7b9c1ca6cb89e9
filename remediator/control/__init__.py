"""What can be asked of a remediator."""
