"""The revisions of the tables of courses."""
