"""What a host says of itself."""
