"""The operations of a remediator."""
