"""Web pages: what a plugin declares of them, and how they are put together."""
