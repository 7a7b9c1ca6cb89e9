"""The nouns, as values."""
