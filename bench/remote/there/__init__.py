"""What runs on a device's bare python3: sent along with each call, never installed.

Only the standard library: the probe from Python 3.7, so that an old one can say that it is too old,
the rest from 3.11.
"""
