"""Everything that holds imagesync to its word."""
