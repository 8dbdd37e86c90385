"""What a plan of Terraform or OpenTofu does to images, from what ``terraform show -json`` prints of it alone.

No registry, no state and no file is read. reading/ finds our modules in the JSON, look.py and outcome.py tell what the
reads and the policies mean, changes.py puts that together, and written.py writes it.
"""
