"""From a recipe to bundles and numbers, and the `secateur` command."""
