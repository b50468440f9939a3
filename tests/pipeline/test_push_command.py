"""`secateur push` against a hub on this machine: what arrives, and what stops it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, constants, snapshot_download

from runtime.archive import pack
from runtime.bundle import Bundle, BundleFile, Manifest
from runtime.recognizer import open_recognizer
from tests.bench.conftest import write_tiny_bundle
from tests.export.exported import noise
from tests.pipeline.command_line import assert_one_sentence, fresh_secateur, secateur
from tests.pipeline.hub_uploads import TOKEN, Hub, Repository, hub_that_takes
from tests.runtime.archives import everything


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_that_takes(Hub()) as running:
        yield running


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """It hears; a file that is none of its own lies beside its files."""
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny-mp_global-70")
    (folder / "pytorch" / "config.json").write_text("{}")
    (folder / "passwords.txt").write_text("do not send")
    manifest = Bundle.open(folder).manifest
    write_manifest_of(
        folder,
        replace(
            manifest,
            method="mp_global",
            sparsity=replace(manifest.sparsity, layers={"encoder.0.q": 0.6, "encoder.0.v": 0.8}),
            provenance={
                "model": "someone/sew",
                "model_from": "hub",
                "recipe": {"corpus": {"evaluate": "demo:test"}},
            },
            files=(*manifest.files, BundleFile.of(folder, "pytorch/config.json")),
        ),
    )
    return folder


@pytest.fixture
def dense(bundle: Path) -> Path:
    """Without a picture in its card, which is quicker."""
    manifest = Bundle.open(bundle).manifest
    sparsity = replace(manifest.sparsity, layers={})
    write_manifest_of(bundle, replace(manifest, sparsity=sparsity))
    return bundle


def write_manifest_of(folder: Path, manifest: Manifest) -> None:
    (folder / "bundle.json").write_text(json.dumps(manifest.to_json()))


def own_files(folder: Path) -> dict[str, bytes]:
    listed = ["bundle.json", *(file.path for file in Bundle.open(folder).manifest.files)]
    return {path: (folder / path).read_bytes() for path in listed}


def test_what_arrives_is_the_bundle_and_its_card_in_one_commit(
    hub: Hub, bundle: Path, tmp_path: Path
) -> None:
    before = everything(bundle)
    environment = hub.environment(tmp_path / "home")
    words = ("push", str(bundle), "me/tiny", "--private", "--message", "First cut", "--json")
    done = fresh_secateur(*words, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bars in a pipe"
    assert TOKEN not in done.stdout
    (commit,) = hub.repositories["me/tiny"].commits
    assert (commit.branch, commit.message) == ("main", "First cut")
    assert hub.repositories["me/tiny"].private
    arrived = dict(commit.files)
    card, picture = arrived.pop("README.md"), arrived.pop("sparsity.png")
    assert arrived == own_files(bundle)
    assert everything(bundle) == before, "nothing in the bundle itself has changed"
    assert picture.startswith(b"\x89PNG")
    record = json.loads(done.stdout)
    assert record["commit"] == commit.oid and commit.oid in record["url"]
    sizes = {file["path"]: file["size"] for file in record["files"]}
    assert sizes == {path: len(content) for path, content in commit.files.items()}
    assert record["bytes"] == sum(sizes.values())

    text = card.decode()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == 5.8
    assert ModelCard(text).data.base_model == "someone/sew"
    assert "hf download me/tiny --local-dir tiny" in text and "**5.80**" in text

    back = Path(
        snapshot_download(
            "me/tiny", local_dir=tmp_path / "back", endpoint=hub.address, cache_dir=tmp_path / "c"
        )
    )
    downloaded = Bundle.open(back, check_hashes=True)
    ours, theirs = (open_recognizer(x) for x in (Bundle.open(bundle), downloaded))
    assert ours.transcribe(noise(1, 1.0)).text == theirs.transcribe(noise(1, 1.0)).text


def test_another_bundle_in_its_place_leaves_nothing_behind(
    hub: Hub, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a branch of its own, from a file, and without the checkpoint that the first one had."""
    old = own_files(bundle) | {"sparsity.png": b"old", "README.md": b"old", "mine.txt": b"kept"}
    hub.repositories["me/tiny"] = Repository(branches={"main": old})
    archive = tmp_path / "tiny.secateur"
    pack(bundle, archive, device_only=True)
    words = ("push", str(archive), "me/tiny", "--revision", "small/one", "--license", "mit")
    hub.expect(monkeypatch, tmp_path / "home")
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    assert "Gone from there, as this bundle has none: pytorch/model.safetensors" in done.stdout
    (commit,) = hub.repositories["me/tiny"].commits
    assert (commit.branch, commit.message) == ("small/one", "Add tiny-mp_global-70")
    kept = {path for path in own_files(bundle) if not path.startswith("pytorch/")}
    assert commit.files.keys() == kept | {"sparsity.png", "README.md", "mine.txt"}
    assert ModelCard(commit.files["README.md"].decode()).data.license == "mit"
    assert hub.repositories["me/tiny"].branches["main"] == old


def test_a_dry_run_sends_nothing_and_needs_no_token(bundle: Path) -> None:
    done = secateur("push", str(bundle), "me/tiny", "--dry-run")
    assert done.returncode == 0, done.stderr
    rows = dict(reversed(line.split()) for line in done.stdout.splitlines()[:-1])
    assert rows.keys() == own_files(bundle).keys() | {"README.md", "sparsity.png"}
    assert rows["pytorch/model.safetensors"] == "1,000"
    assert "nothing was" in done.stdout


def test_what_the_hub_refuses_is_one_sentence(
    hub: Hub, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.expect(monkeypatch, tmp_path / "home")
    hub.repositories["me/other"] = Repository(branches={"main": {"weights.bin": b"0"}})
    hub.repositories["me/public"] = Repository()

    def refused(*words: str) -> str:
        done = secateur("push", str(dense), *words)
        assert_one_sentence(done)
        assert TOKEN not in done.stderr
        return done.stderr

    assert "may not write to you/tiny" in refused("you/tiny")
    assert "holds no bundle but weights.bin" in refused("me/other")
    assert "is public" in refused("me/public", "--private")
    assert '"license" must be one of [mit]' in refused("me/tiny", "--license", "none")
    assert not any("commit" in asked or "large" in asked for asked in hub.asked)
    hub.ignored = ("model.onnx",)
    said = refused("me/tiny")
    assert "left model.onnx out" in said and ".gitignore" in said
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    assert "does not know our token" in refused("me/tiny")


def test_without_a_token_a_network_or_xet_nothing_is_sent(
    hub: Hub, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("push", str(dense), "me/tiny")
    hub.expect(monkeypatch, tmp_path / "home")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert_one_sentence(secateur(*words), "HF_HUB_DISABLE_XET=1")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert_one_sentence(secateur(*words), "me/tiny", "check the network")
    monkeypatch.delenv("HF_TOKEN")
    assert_one_sentence(secateur(*words), "no token", "hf auth login")
    assert not hub.repositories["me/tiny"].commits


def test_a_bundle_or_a_name_that_is_wrong_never_gets_to_the_hub(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for name in ("tiny", "me/a/b", "me/a b", "https://huggingface.co/me/tiny"):
        assert_one_sentence(secateur("push", str(dense), name), name, "OWNER/NAME")
    assert_one_sentence(secateur("push", f"{dense}s", "me/tiny"), "does not exist")
    (dense / "pytorch" / "model.safetensors").write_bytes(b"x" * 1000)
    done = secateur("push", str(dense), "me/tiny")
    assert_one_sentence(done, "model.safetensors", "has changed since")


def test_a_bundle_with_a_page_of_its_own_keeps_it_here(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (dense / "readme.md").write_text("mine")
    manifest = Bundle.open(dense).manifest
    files = (*manifest.files, BundleFile.of(dense, "readme.md"))
    write_manifest_of(dense, replace(manifest, files=files))
    assert_one_sentence(secateur("push", str(dense), "me/tiny"), "has a readme.md of its own")
