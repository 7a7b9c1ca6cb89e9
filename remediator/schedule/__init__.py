"""The calendar at work: what is due, what became of it, and what is started."""
