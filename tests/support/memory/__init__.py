"""All stores in memory, for tests and trials."""
