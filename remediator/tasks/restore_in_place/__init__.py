"""Restores sets over what is there, after an approval and with a copy of that first."""
