"""What is known of the images of services: what waits for them, and what became of the last updates."""
