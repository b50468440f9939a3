"""All that was ever measured, in one SQLite file: imported journals, and what they fold to."""
