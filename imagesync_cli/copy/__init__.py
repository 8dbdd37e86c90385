"""What copying is: one image, its blobs and manifests, what is attached to it, and what a destination lacks."""
