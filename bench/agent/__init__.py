"""Measures bundles on the device, each in a process of its own. Never torch, never rich."""

#: Of what the agent writes and understands; it stands in every journal.
VERSION = "1"
