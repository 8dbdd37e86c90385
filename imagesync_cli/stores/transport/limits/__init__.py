"""What one host is asked at most: connections at once, requests in a second, and fewer after it said "too many"."""
