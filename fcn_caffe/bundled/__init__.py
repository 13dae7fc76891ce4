"""The net that comes with the package, in a snapshot folder; README.md tells what it knows, and what it does not."""
