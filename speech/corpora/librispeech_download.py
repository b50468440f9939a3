"""LibriSpeech from openslr.org into the cache, whole or not at all."""

import tarfile
import tempfile
import zlib
from pathlib import Path

from speech.cache_folder import cache_folder
from speech.errors import BadInput

_URL = "https://www.openslr.org/resources/12"

#: MD5 of each archive, as openslr.org publishes them.
ARCHIVES = {
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
}


def downloaded(subset: str) -> Path:
    """The folder of one subset, fetched on first use (346 MB for test-clean).

    The folder gets its name only once all of it is there, so an interrupted download or
    extraction leaves nothing that could be taken for the corpus.
    """
    try:
        import pooch  # noqa: F401
    except ImportError:
        raise BadInput(
            "Downloading LibriSpeech needs pooch: pip install 'secateur[host]'."
        ) from None
    cache = cache_folder()
    folder = cache / "LibriSpeech" / subset
    if not folder.is_dir():
        archive = _fetch(subset, cache / "downloads")
        _unpack(archive, folder)
        archive.unlink()
    return folder


def _fetch(subset: str, downloads: Path) -> Path:
    import pooch

    url = f"{_URL}/{subset}.tar.gz"
    try:
        archive = pooch.retrieve(
            url,
            known_hash=f"md5:{ARCHIVES[subset]}",
            fname=f"{subset}.tar.gz",
            path=downloads,
            progressbar=True,
        )
    except ValueError:
        raise BadInput(
            f"{url} arrived damaged: its MD5 is not the published one; try again."
        ) from None
    except OSError as error:
        raise BadInput(
            f"{url} cannot be downloaded to {downloads} ({type(error).__name__}); check the "
            "network and the disk, or download it elsewhere and name its folder."
        ) from error
    return Path(archive)


def _unpack(archive: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as staging:
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(staging, filter="data")
            (Path(staging) / "LibriSpeech" / folder.name).rename(folder)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise BadInput(
                f"{archive} cannot be unpacked ({error}); make sure there is room on the disk, "
                "delete it and try again."
            ) from error
