"""What becomes of a registry that is used, misused, reloaded and robbed of workers for a while."""
