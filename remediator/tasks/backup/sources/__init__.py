"""What sets consist of: one file a kind."""
