"""Models as people name them: a folder, one that comes with Secateur, or a name on the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from speech.assets import bundled_model
from speech.readable import expanded, refuse_unreachable


@dataclass(frozen=True)
class ModelName:
    #: Without the revision.
    name: str
    #: Branch, tag or commit of a hub model, if one was named.
    revision: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """`owner/name@revision`; a folder may have an @ in its own name."""
        name, at, revision = text.rpartition("@")
        if not (at and name and revision) or cls(text).folder is not None:
            return cls(text)
        return cls(name, revision)

    @property
    def folder(self) -> Path | None:
        """Where its files are, unless they are on the hub."""
        if bundled := bundled_model(self.name):
            return bundled
        folder = expanded(self.name)
        refuse_unreachable(folder)
        return folder if folder.is_dir() else None

    @property
    def place(self) -> Literal["folder", "bundled", "hub"]:
        if bundled_model(self.name):
            return "bundled"
        return "folder" if self.folder else "hub"

    @property
    def short(self) -> str:
        """What bundles of it are called."""
        return Path(self.name).name
