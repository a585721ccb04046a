"""Who may speak to the server at all: TLS, client certificates, bearer tokens."""
