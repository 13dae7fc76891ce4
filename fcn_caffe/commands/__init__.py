"""The commands of `fcn`, one file each: `main(arguments)` returns the exit status."""
