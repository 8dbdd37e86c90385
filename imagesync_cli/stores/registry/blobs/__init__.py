"""Blobs of one repository: read, written, and foreign layers from wherever their descriptors say."""
