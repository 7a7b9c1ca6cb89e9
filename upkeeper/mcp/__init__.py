"""What can be read, for AI assistants: the Model Context Protocol over standard input and output."""
