"""What is wrong with the configuration of a stack: its Compose files, its .env files, its scripts and secrets."""
