"""Which tags of a repository are meant, which is newer, and which keep old images."""
