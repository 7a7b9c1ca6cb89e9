"""configuration-audit and validate-config."""
