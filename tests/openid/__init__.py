"""A real OpenID provider for tests, and a browser that fills in its forms."""
