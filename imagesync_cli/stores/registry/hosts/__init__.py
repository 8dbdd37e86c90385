"""The APIs that hosts have of their own, beside the distribution API, as far as deleting needs them."""
