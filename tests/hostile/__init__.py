"""Bundles that somebody made to break, stop or mislead whoever opens them."""
