"""What an upgrade would do, tried out beside the deployment: in another process, on copies of the data."""
