"""Events: outbox, relay, transports, inbox and workers."""
