"""Audio in, words compared: reading, corpora, features, normalising, scoring. Never torch."""

from speech import telemetry

telemetry.switch_off()
