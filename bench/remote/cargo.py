"""What a job needs beside the agent: bundles, without what only a host uses, and clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.agent.job import ClipFile
from bench.clips import clip_files
from bench.remote.courier import Folder
from runtime.bundle import MANIFEST, Bundle
from speech.corpora.corpus import Clip


def bundle_folder(bundle: Bundle) -> Folder:
    """Only the files that a device needs; those that another bundle shares with it go once."""
    paths = [MANIFEST, *(file.path for file in bundle.device_files)]
    return Folder.of("bundle", {path: bundle.folder / path for path in paths})


@contextmanager
def clip_folder(clips: Sequence[Clip]) -> Iterator[Folder]:
    """Each under a number of its own, because file names need not differ.

    Clips that are no files yet are files for as long as the context lasts. One that nobody can
    hear is BadInput under its owner's name, before every case on every device fails with it.
    """
    for clip in clips:
        clip.samples()
    with TemporaryDirectory(prefix="secateur-clips-") as place:
        files = [file.path for file in clip_files(clips, Path(place))]
        numbered = {f"{index:05}{file.suffix}": file for index, file in enumerate(files)}
        yield Folder.of("clips", numbered)


def placed_clips(
    clips: Sequence[Clip], folder: Folder, places: Mapping[str, str]
) -> list[ClipFile]:
    """As a job lists them, under the names that they have in the corpus."""
    there = Path(places[folder.name])
    return [
        ClipFile(there / path, clip.text, parcel.sha256, clip.name)
        for (path, parcel), clip in zip(folder.files.items(), clips, strict=True)
    ]
