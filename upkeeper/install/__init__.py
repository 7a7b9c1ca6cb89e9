"""What `upkeeper install` writes so that a system's own manager starts the services, and how it comes and goes."""
