"""Who is let in to the API and the webhook."""
