"""LibriSpeech by name and the Hugging Face Hub: whole, or one sentence about why not."""

import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.corpora import librispeech_download, open_corpus
from speech.errors import BadInput


class _Server:
    """Serves a folder on this machine in the place of openslr.org and counts what is fetched."""

    def __init__(self, folder: Path) -> None:
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                server.fetched += 1
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.folder, self.fetched = folder, 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def offer(self, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        (self.folder / "test-clean.tar.gz").write_bytes(data)
        md5 = hashlib.md5(data).hexdigest()
        monkeypatch.setitem(librispeech_download.ARCHIVES, "test-clean", md5)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[_Server]:
    folder = tmp_path / "openslr"
    folder.mkdir()
    server = _Server(folder)
    threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(librispeech_download, "_URL", server.url)
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    yield server
    server.http.shutdown()
    server.http.server_close()


def _flac() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, 1_600)
    soundfile.write(file, noise, 16_000, format="FLAC")
    return file.getvalue()


def _archive(extra: str | None = None) -> bytes:
    chapter = "LibriSpeech/test-clean/1089/134686"
    members = {
        f"{chapter}/1089-134686-0000.flac": _flac(),
        f"{chapter}/1089-134686.trans.txt": b"1089-134686-0000 HE HOPED\n",
    }
    if extra:
        members[extra] = b"surprise"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _complaint(name: str, **options) -> str:
    with pytest.raises(BadInput) as caught:
        open_corpus(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_librispeech_by_name_is_fetched_once(server, monkeypatch, tmp_path):
    server.offer(_archive(), monkeypatch)
    for _ in range(2):
        corpus = open_corpus("librispeech:test-clean")
        assert corpus.name == "librispeech:test-clean"
        assert [clip.text for clip in corpus.clips] == ["HE HOPED"]
        assert len(corpus.clips[0].samples()) == 1_600
    assert server.fetched == 1
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sorted(left) == ["1089-134686-0000.flac", "1089-134686.trans.txt"]


def test_an_archive_that_is_not_the_published_one(server, monkeypatch):
    server.offer(_archive(), monkeypatch)
    monkeypatch.setitem(librispeech_download.ARCHIVES, "test-clean", "0" * 32)
    assert "its MD5 is not the published one" in _complaint("librispeech")
    server.offer(_archive(), monkeypatch)
    assert len(open_corpus("librispeech")) == 1


def test_an_interrupted_unpacking_leaves_nothing_that_looks_whole(server, monkeypatch, tmp_path):
    server.offer(_archive(), monkeypatch)

    def interrupted(tar: tarfile.TarFile, path: str, **_: object) -> None:
        tar.extract(tar.getnames()[1], path, filter="data")
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(tarfile.TarFile, "extractall", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_corpus("librispeech")
    assert not (tmp_path / "cache" / "LibriSpeech" / "test-clean").exists()
    assert len(open_corpus("librispeech")) == 1


@pytest.mark.parametrize("extra", ["../escaped.txt", "/tmp/secateur-escaped.txt"])
def test_an_archive_may_not_write_elsewhere(server, monkeypatch, tmp_path, extra):
    server.offer(_archive(extra), monkeypatch)
    try:
        open_corpus("librispeech")
    except BadInput as refused:
        assert "cannot be unpacked" in str(refused)
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not Path("/tmp/secateur-escaped.txt").exists()


def test_a_cut_archive_is_not_a_corpus(server, monkeypatch):
    server.offer(_archive()[:-400], monkeypatch)
    assert "cannot be unpacked" in _complaint("librispeech")


def test_openslr_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path))
    monkeypatch.setattr(librispeech_download, "_URL", "http://127.0.0.1:9")
    message = _complaint("librispeech:dev-other")
    assert "http://127.0.0.1:9/dev-other.tar.gz cannot be downloaded" in message


def test_every_published_archive_has_a_checksum():
    assert len(set(librispeech_download.ARCHIVES.values())) == 5
    assert all(len(md5) == 32 for md5 in librispeech_download.ARCHIVES.values())


# The Hugging Face Hub


@pytest.fixture
def hub_card(monkeypatch) -> Iterator[type]:
    """The Hub answers that the dataset exists; the data themselves come from a local folder."""
    from types import SimpleNamespace

    from huggingface_hub import HfApi

    card = SimpleNamespace(language="en")
    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(card_data=card))
    return card


def _local_dataset(folder: Path, **columns: list) -> str:
    import datasets

    count = len(next(iter(columns.values())))
    sounds = [{"bytes": _flac(), "path": f"{i}.flac"} for i in range(count)]
    table = datasets.Dataset.from_dict({"audio": sounds, **columns})
    table = table.cast_column("audio", datasets.Audio(decode=False))
    table = table.cast_column("audio", datasets.Audio())
    for split in ("train", "test"):
        table.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return str(folder)


@pytest.fixture
def open_hub(tmp_path, monkeypatch):
    """`open_hugging_face` on a dataset in Parquet, as the Hub stores it."""
    import datasets

    from speech.corpora.hugging_face import open_hugging_face

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    datasets.disable_progress_bars()
    return open_hugging_face


def test_a_dataset_on_the_hub(tmp_path, open_hub, hub_card):
    name = _local_dataset(tmp_path / "d", sentence=["one", "two"], speaker_id=[5, 6])
    corpus = open_hub(name, None)
    assert corpus.name == f"{name}:test"
    assert [(clip.name, clip.text, clip.speaker) for clip in corpus.clips] == [
        ("000000", "one", "5"),
        ("000001", "two", "6"),
    ]
    assert (corpus.language, corpus.normalizer) == ("en", "english")
    assert len(corpus.clips[1].samples()) == 1_600


def test_a_dataset_in_several_languages_is_not_taken_for_english(tmp_path, open_hub, hub_card):
    hub_card.language = ["en", "fr"]
    corpus = open_hub(_local_dataset(tmp_path / "d", text=["one"]), None)
    assert (corpus.language, corpus.normalizer) == (None, "basic")


def test_a_dataset_without_text_names_its_columns(tmp_path, open_hub, hub_card):
    name = _local_dataset(tmp_path / "d", label=[1])
    with pytest.raises(BadInput, match="its columns are audio, label"):
        open_hub(name, "train")


def test_a_split_the_dataset_has_not(tmp_path, open_hub, hub_card):
    name = _local_dataset(tmp_path / "d", text=["one"])
    with pytest.raises(BadInput, match=r"no split 'dev'; it has .*test"):
        open_hub(name, "dev")


def test_a_dataset_without_sound_names_its_columns():
    import datasets

    from speech.corpora.hugging_face import corpus_of_table

    table = datasets.Dataset.from_dict({"text": ["a"], "label": [1]})
    with pytest.raises(BadInput, match="no column of sound; its columns are text, label"):
        corpus_of_table(table, "owner/name", None)


@pytest.mark.parametrize("name", ["nobody/nothing-here", "nobody/nothing-here:en"])
def test_without_a_network_the_hub_costs_one_sentence_and_little_time(monkeypatch, name):
    import huggingface_hub

    start = time.perf_counter()
    monkeypatch.setattr(
        huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint="http://127.0.0.1:9")
    )
    message = _complaint(name)
    assert "'nobody/nothing-here' is no folder here" in message
    assert "HF_HUB_OFFLINE=1" in message
    assert time.perf_counter() - start < 8


def test_a_malformed_hub_name():
    assert "neither a folder here nor a public dataset" in _complaint("no body/no..thing")


def test_without_datasets_installed_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    assert "pip install 'secateur[host]'" in _complaint("owner/name")


def test_without_pooch_installed_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    assert "pip install 'secateur[host]'" in _complaint("librispeech")
