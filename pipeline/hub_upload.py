"""A bundle on its way to the hub: what is sent, where to, and what the hub may say to that."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_token
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    disable_progress_bars,
    validate_repo_id,
)

from pipeline.card_files import PICTURE
from runtime.bundle import MANIFEST, Bundle
from speech.errors import BadInput

#: Where the hub takes a commit unless it is told another branch.
MAIN = "main"

#: What may stand in a repository that is to hold a bundle and holds none yet.
_HARMLESS = re.compile(r"\.git[^/]*|README\.md|LICEN[CS]E[^/]*", re.IGNORECASE)

#: What is sent, by its place in the repository: its bytes, or the file here that has them.
Parcel = Mapping[str, bytes | Path]


@dataclass(frozen=True)
class Destination:
    """A repository of models: `name` is OWNER/NAME."""

    name: str
    branch: str
    private: bool

    def __post_init__(self) -> None:
        try:
            validate_repo_id(self.name)
            taken = "/" in self.name
        except errors.HFValidationError:
            taken = False
        if not taken:
            raise BadInput(
                f"{self.name!r} is no name that the hub takes: write OWNER/NAME, in letters, "
                "digits and single '-', '_' or '.'."
            )


@dataclass(frozen=True)
class Pushed:
    """What stands on the hub now; `commit` is the hub's number of it."""

    commit: str
    url: str
    #: What the bundle before it had and it has not.
    removed: tuple[str, ...]


def parcel(bundle: Bundle, beside: Mapping[str, bytes]) -> Parcel:
    """Everything to be sent.

    Only what the manifest lists is, so nothing that lies in the folder by chance. `beside` goes
    along without being listed: a bundle that is downloaded is whole with it or without.
    """
    manifest, folder = bundle.manifest, bundle.folder
    for name in beside:
        if taken := [file.path for file in manifest.files if file.path.lower() == name.lower()]:
            raise BadInput(
                f"The bundle {manifest.name} has a {taken[0]} of its own, where the hub wants the "
                "card: export it again without."
            )
    listed = [MANIFEST, *(file.path for file in manifest.files)]
    return {path: folder / path for path in listed if (folder / path).exists()} | dict(beside)


def size_of(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def check_token() -> None:
    """Raise if the library finds none in its usual places."""
    with _refusals_in_one_sentence("The bundle"):
        if get_token() is None:
            raise BadInput("There is no token for the hub: run `hf auth login`, or set HF_TOKEN.")


def upload(parcel: Parcel, where: Destination, message: str) -> Pushed:
    """Send it as one commit, or nothing; the token is what `hf auth login` or HF_TOKEN left."""
    if not sys.stderr.isatty():
        disable_progress_bars()
    with _refusals_in_one_sentence(where.name):
        api = HfApi(library_name="secateur", library_version=version("secateur"))
        additions = [CommitOperationAdd(path, content) for path, content in parcel.items()]
        before = _made_ready(api, where)
        removed = tuple(sorted(_stale(api, where, before) - parcel.keys()))
        deletions = [CommitOperationDelete(path, is_folder=False) for path in removed]
        done = api.create_commit(
            where.name, [*additions, *deletions], commit_message=message, revision=where.branch
        )
        there = _listed(api, where.name, done.oid)
    if missing := sorted(parcel.keys() - there):
        raise BadInput(
            f"The hub has left {missing[0]} out of {where.name}: take it out of the .gitignore "
            "there, and push again."
        )
    return Pushed(done.oid, done.commit_url, removed)


def _made_ready(api: HfApi, where: Destination) -> set[str]:
    """The files in the repository, which is there now and may hold a bundle."""
    api.create_repo(where.name, private=where.private or None, exist_ok=True)
    if where.private and not api.model_info(where.name).private:
        raise BadInput(
            f"{where.name} exists and is public: make it private in its settings on the hub, or "
            "leave out --private."
        )
    if where.branch != MAIN:
        api.create_branch(where.name, branch=where.branch, exist_ok=True)
    there = _listed(api, where.name, where.branch)
    strays = sorted(path for path in there if not _HARMLESS.fullmatch(path))
    if strays and MANIFEST not in there:
        raise BadInput(
            f"{where.name} exists and holds no bundle but {strays[0]}: choose another name."
        )
    return there


def _stale(api: HfApi, where: Destination, there: set[str]) -> set[str]:
    """What an earlier push sent: the files that the bundle of then lists, and its picture."""
    if MANIFEST not in there:
        return set()
    manifest = Path(api.hf_hub_download(where.name, MANIFEST, revision=where.branch))
    try:
        listed = {str(file["path"]) for file in json.loads(manifest.read_bytes())["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"The {MANIFEST} that {where.name} holds is no bundle's: choose another name."
        ) from error
    return there & (listed | {PICTURE})


def _listed(api: HfApi, name: str, revision: str) -> set[str]:
    siblings = api.model_info(name, revision=revision).siblings
    return {sibling.rfilename for sibling in siblings or ()}


@contextmanager
def _refusals_in_one_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except errors.OfflineModeIsEnabled as error:
        raise BadInput("HF_HUB_OFFLINE is set, so nothing can be sent: unset it.") from error
    except (errors.HTTPError, OSError, ValueError, RuntimeError) as error:  # type: ignore[attr-defined] # httpx's or httpx2's
        raise _refusal(error, name) from error


def _refusal(error: BaseException, name: str) -> BadInput:
    """The library often tells of the hub's answer in an error that followed from another."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, errors.HfHubHTTPError):
            return _answer(cause, name)
    told = _line(causes[-1]).rstrip(".")
    is_network = any(isinstance(cause, errors.HTTPError | OSError) for cause in causes)  # type: ignore[attr-defined]
    if not is_network:
        return BadInput(f"{name} was not sent to the hub: {told}.")
    advice = "check the network, and HF_ENDPOINT if it is set"
    if "xet" in told:
        advice = "set HF_HUB_DISABLE_XET=1 if that hub has no Xet storage"
    return BadInput(f"{name} was not sent to the hub ({told}): {advice}.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it came from."""
    yield error
    if error.__cause__ is not None:
        yield from _causes(error.__cause__)


def _answer(error: errors.HfHubHTTPError, name: str) -> BadInput:
    status = error.response.status_code
    if status == 401:
        return BadInput(
            f"The hub does not know our token, or shows it no {name}: run `hf auth login`, or set "
            "HF_TOKEN to one that may write."
        )
    if status == 403:
        return BadInput(f"Our token may not write to {name}: take one that may, or another OWNER.")
    told = _line(error.server_message or error).rstrip(".")
    advice = "try again later" if status == 429 or status >= 500 else "mend that, and push again"
    return BadInput(f"The hub did not take {name} (status {status}: {told}): {advice}.")


def _line(error: object) -> str:
    """The first line of what was said; a library's advice follows in further ones."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
