"""The revisions of the auth tables."""
