"""What is inside the models we know: layers, their order, heads and neurons, by name."""
