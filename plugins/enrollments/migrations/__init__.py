"""The revisions of the tables of enrolments."""
