"""What a person runs: `python tools/NAME.py --help`."""
