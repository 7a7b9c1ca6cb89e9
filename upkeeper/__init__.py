"""The command that a person types."""
