"""Runs the maintenance task that an alert, a person or a schedule asks for, checks that it helped, and records it."""
