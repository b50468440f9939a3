"""`secateur sensitivity` as a user calls it: a table, JSON that comes back, a picture."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pipeline.plots.style import brief
from prune.damage import Sensitivity
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Six clips of noise with a text each."""
    return write_noise(tmp_path / "corpus", [1 + i / 4 for i in range(6)])


def test_a_table_marks_the_most_sensitive(tiny_folders: dict[str, Path], corpus: Path) -> None:
    done = secateur(
        "sensitivity", str(tiny_folders["whisper"]), "--corpus", str(corpus), "--clips", "2",
        "--by", "component", "--sparsities", "0.5,0.9", "--wer",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    about, unit, heads, *rows = done.stdout.splitlines()
    assert "2 clips of" in about
    assert "calibrated on 4 others" in about
    assert "nats per token" in unit
    assert heads.split() == ["50%", "90%"]
    assert [row.split()[0] for row in rows[:5]] == [
        "encoder.attention",
        "encoder.ffn",
        "decoder.self_attention",
        "decoder.cross_attention",
        "decoder.ffn",
    ]
    assert sum(row.count("*") for row in rows[:5]) == 2
    assert "WER in %, normaliser basic; dense" in rows[6]
    assert len(rows) == 5 + 3 + 5


def test_json_comes_back_as_it_was_and_the_picture_shows_it(
    tiny_folders: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "damage.png"
    done = secateur(
        "sensitivity", str(tiny_folders["sew"]), "--corpus", str(corpus), "--clips", "3",
        "--method", "wanda", "--sparsities", "0,0.5,0.9", "--json", "--plot", str(plot),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    result = Sensitivity.from_json(record)
    assert json.loads(json.dumps(result.to_json())) == {
        key: value for key, value in record.items() if key != "corpus"
    }
    assert (result.unit, result.clips, result.calibration_clips) == ("frame", 3, 3)
    assert result.sparsities == (0, 0.5, 0.9)
    assert all(row.cells[0].divergence == 0 < row.cells[1].divergence for row in result.rows)
    with Image.open(plot) as picture:
        picture.load()
        assert picture.format == "PNG"
        shades = picture.convert("L").histogram()
        assert picture.width > 500
        assert picture.height > 300
    assert sum(count > 100 for count in shades) > 10
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_magnitude_needs_no_clips_to_calibrate_on(
    tiny_folders: dict[str, Path], corpus: Path
) -> None:
    done = secateur(
        "sensitivity", str(tiny_folders["wav2vec2"]), "--corpus", str(corpus), "--json",
        "--method", "mp_local", "--by", "side", "--sparsities", "0.5", "--layers", "encoder.ffn",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["clips"], record["calibration_clips"]) == (6, 0)
    assert [row["name"] for row in record["rows"]] == ["transformer"]
    assert len(record["rows"][0]["layers"]) == 4


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["--method", "mp_global"], ["mp_global does not cut each layer by itself", "wanda"]),
        (["--method", "obbs"], ["did you mean 'obs'"]),
        (["--sparsities", "0.5,much"], ["'much' is no number"]),
        (["--sparsities", "0.5,50"], ["50 is not between 0 and 1"]),
        (["--sparsities", "nan"], ["nan is not between 0 and 1"]),
        (["--clips", "6"], ["6 clips", "leaves none to calibrate on"]),
        (["--plot", "damage.svg"], ["does not end in .png"]),
        (["--plot", "nowhere/damage.png"], ["no folder nowhere"]),
        (["--clips", "2", "--layers", "encoder.ffm"], ["'encoder.ffm' matches no prunable layer"]),
    ],
)
def test_bad_input_is_one_sentence(
    tiny_folders: dict[str, Path], corpus: Path, words: list[str], fragments: list[str]
) -> None:
    model = str(tiny_folders["whisper"])
    done = secateur("sensitivity", model, "--corpus", str(corpus), *words)
    assert_one_sentence(done, *fragments)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (3.4e-7, "3e-7"), (0.00094, "9e-4"), (0.00096, "0.001"), (0.0123, "0.012"),
     (0.0999, "0.10"), (1.234, "1.23"), (9.96, "10.0"), (123.4, "123")],
)  # fmt: skip
def test_numbers_are_short(value: float, written: str) -> None:
    assert brief(value) == written
