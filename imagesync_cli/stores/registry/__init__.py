"""One repository in a registry, and everything that is said to the registry for it."""
