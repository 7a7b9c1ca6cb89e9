"""Ready-made proofs that an application can use its data: one file an application."""
