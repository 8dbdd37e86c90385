"""What can be seen without changing anything."""
