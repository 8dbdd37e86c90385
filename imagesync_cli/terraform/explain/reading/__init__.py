"""A plan in JSON as values: the calls of our modules, their objects, and what their reads answered."""
