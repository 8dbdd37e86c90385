"""Many images at once: a file of images, what it comes to, and what is done about it."""
