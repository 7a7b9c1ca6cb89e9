"""The machine itself, restarted where updates wait for it, and compared before and after."""
