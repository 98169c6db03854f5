"""The HTTP face of the API: paths, users, negotiation, and one module for each family of verbs."""
