"""Content and databases damaged behind a registry's back."""
