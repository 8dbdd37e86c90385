"""What must stay true of the repository itself: layers, documentation, examples."""
