"""What is compared with what when directors are watched; see bench/measures/watch.py."""
