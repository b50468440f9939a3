"""Audio in, words compared: reading, corpora, features, normalising, scoring. Never torch."""
