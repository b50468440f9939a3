"""`python -m pipeline` is `secateur`."""

from pipeline.cli import main

main()
