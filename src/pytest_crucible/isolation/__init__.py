"""What begins and ends with each test."""
