"""The console: pages of the remediator for a browser, made on the server."""
