"""How a command reaches a remediator."""
