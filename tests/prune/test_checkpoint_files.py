"""Files of a checkpoint that do not belong together: every way in refuses them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    SEWConfig,
    SEWDConfig,
    SEWDForCTC,
    SEWForCTC,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.checkpoint_files import adapter_note, refuse_misfits
from prune.pruner import Pruner
from prune.structure.vocabulary import trim_vocabulary
from speech.errors import BadInput, InputWarning
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.doors import DOORS, through
from tests.prune.changed_checkpoints import (
    Change,
    Folders,
    both,
    copied,
    edited,
    letters,
    read,
    renumbered,
    setting,
    weights,
    without,
)
from tests.prune.slicing import cut_all
from tests.tiny_models import CTC_SHAPE

MORE = torch.zeros(3, 3)
EMBEDDING = "model.decoder.embed_tokens.weight"

#: How a tiny Whisper is damaged, and what is said of it.
WHISPER: dict[str, tuple[Change, str]] = {
    "no tokenizer": (without("tokenizer.json"), r"has no tokenizer\.json \(nor vocab\.json with"),
    "no feature extractor": (without("processor_config.json"), "has no preprocessor_config.json"),
    "tokenizer is no JSON": (
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        r"tokenizer\.json cannot be read \(.*copy it again",
    ),
    "tokenizer is empty": (
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        r"tokenizer\.json has no vocabulary that can be read",
    ),
    "fewer layers": (
        setting("config.json", encoder_layers=1),
        r"config\.json says encoder_layers = 1, and model\.safetensors has 2 such layers",
    ),
    "more layers": (
        setting("config.json", decoder_layers=3),
        r"config\.json says decoder_layers = 3, and model\.safetensors has 2 such layers",
    ),
    "a smaller vocabulary": (
        setting("config.json", vocab_size=294),
        r"says vocab_size = 294, and model\.decoder\.embed_tokens\.weight .* has \d+ rows",
    ),
    "an unknown weight": (
        weights(lambda w: w.update({"model.encoder.layers.0.q.lora_A.weight": MORE})),
        r"does not know, model\.encoder\.layers\.0\.q\.lora_A\.weight among them",
    ),
    "no decoder": (
        weights(lambda w: w.pop(EMBEDDING)),
        r"model\.safetensors has no decoder, .*fine-tuned for recognition",
    ),
    "another start": (
        setting("generation_config.json", decoder_start_token_id=7),
        r"gives <\|startoftranscript\|> the id \d+, and generation_config.json says decoder_start",
    ),
    "another end": (
        setting("generation_config.json", eos_token_id=7),
        r"gives <\|endoftext\|> the id \d+, and generation_config.json says eos_token_id = 7",
    ),
    "another start, in an old checkpoint": (
        both(without("generation_config.json"), setting("config.json", decoder_start_token_id=7)),
        r"<\|startoftranscript\|> the id \d+, and config.json says decoder_start_token_id = 7",
    ),
    "another sign of no timestamps": (
        setting("generation_config.json", no_timestamps_token_id=7),
        r"gives <\|notimestamps\|> the id \d+, and generation_config",
    ),
    "special tokens in another order": (
        renumbered(("<|startoftranscript|>", "<|notimestamps|>")),
        r"gives <\|startoftranscript\|> the id",
    ),
    "forced to begin with a word": (
        setting("generation_config.json", forced_decoder_ids=[[1, 5]]),
        "forced_decoder_ids holds 5, which is no special token in tokenizer.json",
    ),
}
MULTILINGUAL: dict[str, tuple[Change, str]] = {
    "another language": (
        renumbered(("<|en|>", "<|de|>")),
        r"gives <\|(en|de)\|> the id \d+, and generation_config\.json, lang_to_id says",
    ),
    "another task": (
        renumbered(("<|transcribe|>", "<|translate|>")),
        r"gives <\|trans(crib|lat)e\|> the id \d+, and generation_config\.json, task_to_id says",
    ),
}
CTC: dict[str, tuple[Change, str]] = {
    "no letters": (without("vocab.json"), r"has no vocab\.json, so its answers cannot be spelt"),
    "a letter too many": (letters(ä=31), r"vocab\.json has token ids up to 31, and the model 31"),
    "letters missing": (
        both(letters(y=None, z=None), setting("tokenizer_config.json", added_tokens_decoder=None)),
        r"vocab\.json has no token for 2 of the model's 31 ids, 29 among them",
    ),
    "another blank": (
        setting("config.json", pad_token_id=5),
        r"vocab\.json gives <pad> the id 0, and config\.json says pad_token_id = 5",
    ),
    "fewer layers": (
        setting("config.json", num_hidden_layers=1),
        r"says num_hidden_layers = 1, and model\.safetensors has 2 such layers",
    ),
    "no head": (
        weights(lambda w: [w.pop(f"lm_head.{part}") for part in ("weight", "bias")]),
        "has no lm_head, .*fine-tuned for recognition",
    ),
    "an unknown weight": (
        weights(lambda w: w.update({"projector.weight": MORE})),
        r"does not know, projector\.weight among them",
    ),
}
DAMAGES = {
    **{f"whisper, {what}": ("whisper", *case) for what, case in WHISPER.items()},
    **{f"multilingual, {what}": ("whisper-multilingual", *c) for what, c in MULTILINGUAL.items()},
    **{f"{kind}, {w}": (kind, *c) for kind in ("sew", "sew-d", "wav2vec2") for w, c in CTC.items()},
}


@pytest.mark.parametrize("case", DAMAGES)
def test_both_sides_refuse_what_does_not_belong_together(
    tiny_folders: Folders, tmp_path: Path, case: str
) -> None:
    kind, damage, sentence = DAMAGES[case]
    folder = copied(tiny_folders[kind], tmp_path / "odd")
    refuse_misfits(folder, "odd")
    damage(folder)
    with pytest.raises(BadInput, match=sentence) as by_files:
        refuse_misfits(folder, str(folder))
    with pytest.raises(BadInput) as opening:
        open_checkpoint(str(folder))
    assert str(opening.value) == str(by_files.value)
    assert str(folder) in str(opening.value)
    assert "\n" not in str(opening.value)


def test_another_models_tokenizer_is_refused(tiny_folders: Folders, tmp_path: Path) -> None:
    for model, other in (
        ("whisper", "whisper-multilingual"),
        ("whisper-multilingual", "whisper"),
    ):
        folder = copied(tiny_folders[model], tmp_path / model)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tiny_folders[other] / file, folder / file)
        for refuse in (lambda f: refuse_misfits(Path(f), f), open_checkpoint):
            with pytest.raises(BadInput, match="the tokenizer is another model's; copy"):
                refuse(str(folder))


def test_the_rules_hold_where_only_transformers_knows_the_files(
    tiny_folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a model on the hub, whose files lie nobody knows where."""
    monkeypatch.setattr("prune.checkpoint.refuse_misfits", lambda *_: None)
    found = []
    for case, (kind, damage, _) in DAMAGES.items():
        folder = copied(tiny_folders[kind], tmp_path / case.replace(" ", "-"))
        damage(folder)
        with pytest.raises(BadInput) as caught:
            open_checkpoint(str(folder))
        found.append(str(caught.value))
    assert all("\n" not in sentence for sentence in found)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("damage", ["no tokenizer", "another tokenizer", "fewer layers"])
def test_every_command_refuses_it_and_writes_nothing(
    tiny_folders: Folders, tmp_path: Path, door: str, damage: str
) -> None:
    folder = copied(tiny_folders["whisper"], tmp_path / "odd")
    if damage == "another tokenizer":
        shutil.copyfile(
            tiny_folders["whisper-multilingual"] / "tokenizer.json", folder / "tokenizer.json"
        )
    else:
        WHISPER[damage][0](folder)
    done = through(door, folder, tmp_path)
    named = "packed" if door == "load" else "odd"
    assert_one_sentence(done, f"{tmp_path / named}", "copy")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.json").exists()


def test_a_model_in_memory_needs_its_own_tokenizer(
    tiny_whisper: Checkpoint, tiny_multilingual: Checkpoint
) -> None:
    assert Pruner(tiny_whisper.model, tiny_whisper.processor)
    with pytest.raises(BadInput, match="the tokenizer is another model's"):
        Pruner(tiny_whisper.model, tiny_multilingual.processor)


def test_a_recipe_is_checked_without_torch_and_transformers(
    tiny_folders: Folders, tmp_path: Path
) -> None:
    folder = copied(tiny_folders["whisper"], tmp_path / "odd")
    edited(folder, "config.json", encoder_layers=1)
    assert through("recipe check", folder, tmp_path).returncode == 2
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.recipe import read_recipe\n"
        "from pipeline.recipe.check import findings\n"
        "print(findings(read_recipe(Path(sys.argv[1]))).faults)\n"
        "print(sorted({'torch', 'transformers', 'tokenizers'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "recipe.toml"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    faults, loaded = done.stdout.splitlines()
    assert "encoder_layers = 1" in faults
    assert loaded == "[]"


def test_an_adapter_beside_is_reported_and_not_applied(
    tiny_folders: Folders, tmp_path: Path
) -> None:
    folder, file = copied(tiny_folders["sew"], tmp_path / "adapted"), "adapter_model.safetensors"
    assert adapter_note(folder, "it") is None
    (folder / file).write_text("{}")
    for door in ("eval", "prune"):
        done = through(door, folder, tmp_path)
        assert done.returncode == 0, done.stderr
        line = f"secateur: {folder} has an adapter ({file}), which is not applied: merge it into"
        assert [each for each in done.stderr.splitlines() if each.startswith(line)]
        assert done.stderr.count("not applied") == 1, done.stderr
    shutil.rmtree(tmp_path / "out")
    assert (
        f"has an adapter ({file}), which is not" in through("recipe check", folder, tmp_path).stdout
    )
    assert through("run", folder, tmp_path).stderr.count("not applied") == 1
    with pytest.warns(InputWarning, match="not applied"):
        Pruner(folder)
    (folder / file).rename(folder / "adapter_config.json")
    assert "(adapter_config.json)" in str(adapter_note(folder, "it"))


CTC_OPTIONS: list[dict[str, Any]] = [
    {},
    {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
    {"mask_time_prob": 0.0, "mask_feature_prob": 0.0},
]
WAV2VEC2: list[dict[str, Any]] = [
    {"add_adapter": True, "num_adapter_layers": 2, "output_hidden_size": 40},
    {"adapter_attn_dim": 8, "do_stable_layer_norm": True},
]
SEW_D: list[dict[str, Any]] = [
    {"position_buckets": 8, "share_att_key": False, "pos_att_type": ("p2c", "c2p")},
    {"position_buckets": 8, "norm_rel_ebd": "layer_norm"},
]


@pytest.mark.parametrize(
    ("kind", "config", "options"),
    [
        (WhisperForConditionalGeneration, WhisperConfig, {}),
        (WhisperForConditionalGeneration, WhisperConfig, {"tie_word_embeddings": False}),
        *((SEWForCTC, SEWConfig, options) for options in CTC_OPTIONS),
        *((SEWDForCTC, SEWDConfig, options) for options in CTC_OPTIONS + SEW_D),
        *((Wav2Vec2ForCTC, Wav2Vec2Config, options) for options in CTC_OPTIONS + WAV2VEC2),
    ],
)
def test_weights_of_every_build_are_known(
    tiny_folders: Folders, tmp_path: Path, kind: Any, config: Any, options: dict[str, Any]
) -> None:
    """The names here are those of transformers' own models."""
    family = kind.config_class.model_type
    folder = copied(tiny_folders[family], tmp_path / "built")
    if family == "whisper":
        shape = json.loads((folder / "config.json").read_text())
        shape.pop("tie_word_embeddings")
    else:
        shape = dict(CTC_SHAPE)
    kind(config(**{**shape, **options})).save_pretrained(folder)
    refuse_misfits(folder, "built")


def older(folder: Path) -> None:
    """As transformers wrote tokenizers of Whisper before there was tokenizer.json."""
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    vocab = content["model"]["vocab"]
    (folder / "vocab.json").write_text(json.dumps(vocab))
    merges = [" ".join(pair) for pair in content["model"]["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    added = {t["content"]: t["id"] for t in content["added_tokens"] if t["content"] not in vocab}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    edited(folder, "tokenizer_config.json", extra_special_tokens=None)


def split_in_two(folder: Path) -> None:
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, listed = sorted(whole), {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: whole[name] for name in part}, folder / file, {"format": "pt"})
        listed |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": listed})
    )


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def own_symbols(folder: Path) -> None:
    """As fine-tuned XLSR models come: names of its own, and <s> and </s> without an output."""
    named = {"[PAD]": "<pad>", "[UNK]": "<unk>"}
    table = json.loads((folder / "vocab.json").read_text())
    table |= {new: table.pop(old) for new, old in named.items()}
    table |= {"ä": table.pop("<s>"), "ö": table.pop("</s>")}
    (folder / "vocab.json").write_text(json.dumps(table))
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": 31, "</s>": 32}))
    edited(
        folder, "tokenizer_config.json",
        pad_token="[PAD]", unk_token="[UNK]", added_tokens_decoder=None,
    )  # fmt: skip


#: What published checkpoints have, and what does no harm.
GOOD: dict[str, tuple[str, Change]] = {
    "an old tokenizer": ("whisper", older),
    "several files of weights": ("whisper", split_in_two),
    "pickled weights": ("sew", pickled),
    "a head that is tied": (
        "whisper",
        weights(lambda w: w.update({"proj_out.weight": w[EMBEDDING].clone()})),
    ),
    "no settings of generation": ("whisper", without("generation_config.json")),
    "ids that are forced": (
        "whisper-multilingual",
        lambda folder: edited(
            folder, "generation_config.json",
            forced_decoder_ids=[
                [1, None],
                [2, read(folder, "generation_config.json")["task_to_id"]["transcribe"]],
            ],
        ),
    ),
    "tables of languages that it does not know": (
        "whisper",
        setting("generation_config.json", lang_to_id={"<|en|>": 7}, task_to_id={"transcribe": 8}),
    ),
    "several ends": (
        "whisper",
        lambda folder: edited(
            folder, "generation_config.json",
            eos_token_id=[read(folder, "config.json")["eos_token_id"], 5],
        ),
    ),
    "nothing hidden in training": (
        "wav2vec2", setting("config.json", mask_time_prob=0.0, mask_feature_prob=0.0),
    ),
    "heads of its pretraining": (
        "wav2vec2",
        weights(lambda w: w.update({"quantizer.codevectors": MORE, "project_q.weight": MORE + 1})),
    ),
    "symbols of its own": ("wav2vec2", own_symbols),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_what_is_good_opens(tiny_folders: Folders, tmp_path: Path, case: str) -> None:
    kind, change = GOOD[case]
    folder = copied(tiny_folders[kind], tmp_path / "good")
    change(folder)
    refuse_misfits(folder, "good")
    assert open_checkpoint(str(folder)).model


def test_what_secateur_wrote_opens(
    tiny_whisper: Checkpoint, tiny_folders: Folders, tmp_path: Path
) -> None:
    trim_vocabulary(tiny_whisper, ["turn on the radio"])
    cut_all(tiny_whisper.model, {"model.encoder.layers.0.fc1": range(9)})
    tiny_whisper.save(tmp_path / "small")
    assert through("load", tmp_path / "small", tmp_path).returncode == 0
    refuse_misfits(tmp_path / "out", "out")
    assert Pruner(tmp_path / "out").model.config.vocab_size == tiny_whisper.model.config.vocab_size
    for kind in ("whisper", "sew"):
        clips, out = write_noise(tmp_path / f"clips-{kind}", (1, 1)), tmp_path / f"{kind}-dropped"
        done = secateur(
            "prune", str(tiny_folders[kind]), "--method", "obs_structured", "--blocks", "0.5",
            "--corpus", str(clips), "-o", str(out),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        refuse_misfits(out, kind)
        assert open_checkpoint(str(out))
