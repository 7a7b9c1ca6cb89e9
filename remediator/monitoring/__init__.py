"""How the monitoring is set up: what is in place, what is missing, and what of that Upkeeper may put there itself."""
