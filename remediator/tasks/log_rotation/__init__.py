"""Log rotation: names, what is found, what is chosen, and how each action is done."""
