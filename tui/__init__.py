"""Compare variants in the terminal."""
