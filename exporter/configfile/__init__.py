"""The config file: YAML with the place of each value, what a section may hold, and mistakes named with their remedy."""
