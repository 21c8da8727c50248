"""What all tests share comes from `kernel.testing.pytest_plugin`, as for the tests of any other plugin."""
