"""One suite for every registry: what the embedded registry says is held to what the real ones say."""
