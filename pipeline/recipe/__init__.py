"""What to do, as a TOML file: its schema, what is wrong with one, what one will do."""

from pipeline.recipe.reading import read_recipe
from pipeline.recipe.schema import Recipe

__all__ = ["Recipe", "read_recipe"]
