"""What deleting is: tags first, then the manifests that nothing else in their repository uses."""
