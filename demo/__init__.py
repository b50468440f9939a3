"""Makes everything in `assets/`: spoken clips and two small speech models trained on them."""
