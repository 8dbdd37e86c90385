"""Images in files: layout folders and archives."""
