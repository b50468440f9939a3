"""What may be set, what is said of what may not, and that onnxruntime is told."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from runtime.recognizer import open_recognizer
from runtime.session import open_session
from runtime.settings import Settings
from speech.errors import BadInput
from tests.export.exported import noise, sew, whisper


def test_there_and_back() -> None:
    settings = Settings(threads=3, spinning=True, arena=False, window=2.5, provider="cpu")
    assert Settings.from_json(settings.to_json(), "job.json") == settings
    assert Settings.from_json({"threads": 2}, "job.json") == Settings(threads=2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threads", 0),
        ("threads", -1),
        ("threads", 257),
        ("threads", 1.0),
        ("threads", True),
        ("spinning", 1),
        ("arena", "yes"),
        ("window", 0),
        ("window", 0.4),
        ("window", float("nan")),
        ("window", float("inf")),
        ("window", "30"),
        ("window", True),
        ("provider", "cuda"),
        ("provider", None),
        ("provider", ["cpu"]),
    ],
)
def test_impossible_settings_are_named(key: str, value: Any) -> None:
    with pytest.raises(BadInput, match=rf"^job.json, case 'a': '{key}' is .* must be ") as error:
        Settings.from_json({key: value}, "job.json, case 'a'")
    assert "\n" not in str(error.value)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(BadInput, match=r"^job.json: 'thread' is no setting.*there are threads, sp"):
        Settings.from_json({"thread": 2}, "job.json")
    with pytest.raises(BadInput, match=r"^job.json: settings must be a JSON object"):
        Settings.from_json([], "job.json")


def test_onnxruntime_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = sew()[1].graph("model")
    told: list[tuple[Any, Any]] = []
    real = onnxruntime.InferenceSession

    def listening(path: Any, options: Any, providers: Any) -> Any:
        told.append((options, providers))
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", listening)
    open_session(graph, None, Settings(threads=2, spinning=True, arena=False))
    open_session(graph)
    (chosen, providers), (default, _) = told
    assert providers == ["CPUExecutionProvider"]
    assert (chosen.intra_op_num_threads, default.intra_op_num_threads) == (2, 1)
    assert (chosen.enable_cpu_mem_arena, default.enable_cpu_mem_arena) == (False, True)
    key = "session.intra_op.allow_spinning"
    found = [options.get_session_config_entry(key) for options in (chosen, default)]
    assert found == ["1", "0"]


@pytest.mark.parametrize("family", [whisper, sew])
def test_no_setting_of_the_machine_changes_what_is_heard(family: Any) -> None:
    bundle, clip = family()[1], noise(3, 2.0)
    expected = open_recognizer(bundle).transcribe(clip)
    for settings in (Settings(threads=2, spinning=True), Settings(arena=False)):
        assert open_recognizer(bundle, settings).transcribe(clip).tokens == expected.tokens


@pytest.mark.skipif(
    "CoreMLExecutionProvider" in onnxruntime.get_available_providers(), reason="it is there"
)
def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"'coreml' needs .*CoreMLExecutionProvider.*use 'cpu'"):
        open_recognizer(sew()[1], Settings(provider="coreml"))


@pytest.mark.skipif(
    "CoreMLExecutionProvider" not in onnxruntime.get_available_providers(), reason="no Mac"
)
@pytest.mark.parametrize("family", [whisper, sew])
def test_core_ml_hears_the_same(family: Any) -> None:
    bundle, clip = family()[1], noise(3, 2.0)
    heard = open_recognizer(bundle, Settings(provider="coreml")).transcribe(clip)
    assert np.array_equal(heard.tokens, open_recognizer(bundle).transcribe(clip).tokens)
