"""How many zeros each layer gets, and which weights those are.

An allocation is a number of zeros for each layer, `dict[str, int]`, that adds up to exactly the
total asked for. `masks` turns one into masks. Nothing here knows models: sizes are counts of
weights by name of layer, scores are tensors by name of layer, higher scores are kept.
"""
