"""The audit record: what a record is, how its hash is made, and how a chain of them is verified. Pure."""
