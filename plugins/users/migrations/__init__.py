"""The revisions of the users tables."""
