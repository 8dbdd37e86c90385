"""What is done with a file of images: its sync, its lock, its reports, and files of other tools."""
