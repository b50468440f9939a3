"""Which clips something was scored or timed on, as a digest: equal for equal clips, on any machine.

Light to import: the process that measures loads it.
"""

from collections.abc import Iterable


def clips_digest(clips: Iterable[tuple[str, str]]) -> str:
    """SHA-256, in hex, of the names and texts of clips, in their order."""
    import hashlib  # Imported here: OpenSSL takes 3 MB.

    sha = hashlib.sha256()
    for name, text in clips:
        part = f"{name}\0{text}".encode()
        sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()


def clip_set(clips: Iterable[tuple[str, str]]) -> str:
    """The first twelve digits of `clips_digest`: enough to tell the draws of a study apart."""
    return clips_digest(clips)[:12]
