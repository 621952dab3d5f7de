"""Upload sessions under concurrency, broken connections and restarts."""
