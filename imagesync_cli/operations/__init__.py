"""What imagesync does, one verb a module; they know stores and values, not the command line."""
