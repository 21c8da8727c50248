"""What tests of plugins need: the fixture `deploy` (see `pytest_plugin`) and the objects that it hands out."""
