"""The HTTP side of the kernel: typed handlers, problems, pages, idempotency, limits and OpenAPI."""
