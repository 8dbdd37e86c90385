"""What others send, nearly right: read, or refused by one of our errors."""
