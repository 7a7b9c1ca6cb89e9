"""A sealed place: containers that reach only each other, limited in all that they use, and gone at the end."""
