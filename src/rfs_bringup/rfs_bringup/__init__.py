"""What runs, as data; launch files; the rfs command."""
