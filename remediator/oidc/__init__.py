"""Login by an OpenID Connect provider: authorization code with PKCE. Knows nothing of pages, cookies or sessions."""
