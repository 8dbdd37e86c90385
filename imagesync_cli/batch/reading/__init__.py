"""A file of images on its way to entries: its values, prefixes of names, and rules about signatures."""
