"""What `lyceum plugins new` writes: a plugin as a distribution of its own, whose tests pass from the beginning."""
