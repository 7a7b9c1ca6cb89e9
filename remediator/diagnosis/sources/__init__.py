"""Where the parts come from, a file for each kind."""
