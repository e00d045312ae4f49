"""What is replaced in Polyfactory while a run lasts."""
