"""The net that comes with the package, in a snapshot folder; README.md is its card."""
