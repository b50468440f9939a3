"""The `secateur` command from its first moment on; `pipeline.process` is the rest of it."""

from pipeline import signals


def main() -> None:
    signals.leave_at_once()
    from pipeline.process import run

    raise SystemExit(run())
