"""The history of the tables of payments."""
