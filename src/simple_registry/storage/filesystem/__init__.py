"""Content and uploads as files."""
