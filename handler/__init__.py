"""What runs in Lambda: an entry point a file, and what they share."""
