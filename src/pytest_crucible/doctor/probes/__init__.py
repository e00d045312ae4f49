"""What is measured once for all checks."""
