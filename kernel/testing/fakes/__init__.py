"""Providers without a database, for the tests of plugins that need one."""
