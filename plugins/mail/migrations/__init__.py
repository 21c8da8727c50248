"""The revisions of the mail tables."""
