"""Counts in sentences."""


def counted(count: int, thing: str) -> str:
    """`1 clip`, `3 clips`, `1,000 rows`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
