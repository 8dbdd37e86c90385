"""A copy under every fault at every step: the tag is the old image or the new one, and the next run finishes."""
