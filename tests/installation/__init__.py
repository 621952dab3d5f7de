"""What people install, built and started as they do it."""
