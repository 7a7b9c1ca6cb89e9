"""The labels by which everything of a sandbox is known, whoever made it and whatever became of him."""

SANDBOX = "upkeeper.sandbox"
"""Its name. What carries it is no part of what is looked after."""
PURPOSE = "upkeeper.sandbox.purpose"
"""What it is for, in words that are the same each time: ``disaster-recovery-test pa``."""
UNTIL = "upkeeper.sandbox.until"
"""Unix seconds in which it ends at the latest; what is there afterwards was left behind."""
