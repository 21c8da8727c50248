"""The revisions of the privacy tables."""
