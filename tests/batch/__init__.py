"""Many images in one call: the file, tag rules, prune, lock, shards, reports."""
