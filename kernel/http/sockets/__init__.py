"""WebSockets: declared beside the routes, opened by the same rules, spoken by a small protocol of our own."""
