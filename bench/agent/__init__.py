"""Measures one bundle in a process of its own, on the device. Never torch, never rich."""
