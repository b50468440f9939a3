"""Pruning that shrinks shapes: heads, FFN neurons, whole layers and words that are really gone."""
