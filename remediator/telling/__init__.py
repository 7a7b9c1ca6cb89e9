"""Tells people what became of the alerts that they were told of: what Upkeeper did, what that showed, what is left."""
