"""Opening and saving a speech model: a folder that transformers wrote, or a name on the hub."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prune import cpu_torchaudio
from prune.checkpoint_files import (
    FAMILIES,
    Tokens,
    refuse_misfits,
    refuse_other_tokens,
    refuse_unknown_weights,
    warn_of_adapter,
)
from prune.feature_fit import refuse_misfit
from prune.packed_weights import is_packed, packed_weights
from prune.structure import shapes
from runtime.bundle import Family
from speech.assets import BUNDLED_MODELS, bundled_model
from speech.errors import BadInput
from speech.parsed import json_from
from speech.readable import expanded, readable, refuse_unreachable

#: Weights that a checkpoint may lack: tied to another, or used in training only.
_DISPENSABLE = ("proj_out.weight", "masked_spec_embed")


@dataclass
class Checkpoint:
    """A model with everything it needs to listen: features, tokenizer, decoding rules."""

    model: Any
    processor: Any
    family: Family
    source: str

    @property
    def feature_settings(self) -> dict[str, Any]:
        """The keys of `preprocessor_config.json`."""
        settings: dict[str, Any] = self.processor.feature_extractor.to_dict()
        return settings

    def save(self, folder: Path) -> None:
        """What `open_checkpoint` opens again, and `from_pretrained` unless shapes are uneven.

        The caller writes beside and renames.
        """
        shapes.record_shapes(self.model)
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)


def open_checkpoint(name_or_path: str, *, revision: str | None = None) -> Checkpoint:
    """A checkpoint folder, packed or not, or a hub name: fp32 in evaluation mode on the CPU.

    A half-precision checkpoint is widened: pruning and export work in fp32.
    """
    source = _resolve(name_or_path)
    config = _configuration(source, name_or_path, revision)
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise BadInput(
            f"{name_or_path} is a {config.model_type!r} model; "
            f"Secateur knows {', '.join(sorted(FAMILIES))}."
        )
    if (folder := Path(source)).is_dir():
        refuse_misfits(folder, name_or_path)
        warn_of_adapter(folder, name_or_path)
    model = _model(source, name_or_path, config, revision)
    _refuse_broken_weights(model, name_or_path)
    processor = _processor(source, name_or_path, config, revision)
    refuse_misfit(config, processor.feature_extractor, name_or_path)
    refuse_other_tokenizer(family, model, processor.tokenizer, name_or_path)
    return Checkpoint(model, processor, family, name_or_path)


def refuse_other_tokenizer(family: Family, model: Any, tokenizer: Any, name: str) -> None:
    """BadInput where a tokenizer is not the one that the model was trained with."""
    whisper = family == "whisper"
    silent = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token} - {tokenizer.pad_token}
    tokens = Tokens(
        "tokenizer.json" if whisper else "vocab.json",
        tokenizer.get_vocab(),
        end=tokenizer.eos_token,
        blank=tokenizer.pad_token,
        silent=frozenset() if whisper else frozenset(silent),
    )
    settings = model.generation_config.to_dict() if whisper else {}
    refuse_other_tokens(family, tokens, model.config.to_dict(), settings, name)


def is_checkpoint(path: Path) -> bool:
    """Whether a folder looks like one that `from_pretrained` opens."""
    return (path / "config.json").is_file()


def _resolve(name_or_path: str) -> str:
    """The folder to read, or the name to ask the hub for."""
    if not name_or_path.strip():
        raise BadInput("The name of the model is empty: give a checkpoint folder or a hub name.")
    path = expanded(name_or_path)
    refuse_unreachable(path)
    if path.is_dir():
        with readable(path):
            is_one = is_checkpoint(path)
        if not is_one:
            raise BadInput(
                f"{name_or_path} has no config.json: give a folder that transformers' "
                "save_pretrained wrote, a bundle, or a hub name."
            )
        return str(path)
    if path.exists():
        raise BadInput(f"{name_or_path} is a file: give the checkpoint's folder or a hub name.")
    if bundled := bundled_model(name_or_path):
        return str(bundled)
    if path.is_absolute() or name_or_path.startswith((".", "~")) or len(path.parts) > 2:
        raise BadInput(f"{name_or_path} does not exist: give a checkpoint folder or a hub name.")
    return name_or_path


def _unreachable(name: str, error: Exception) -> BadInput:
    near = difflib.get_close_matches(name, BUNDLED_MODELS, 1, 0.7)
    if near:
        return BadInput(f"{name} is no model here: did you mean {near[0]}?")
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return BadInput(
        f"{name} is neither a folder here nor a model that the hub gave us ({reason}): "
        "check the name and the network, or give a local checkpoint folder."
    )


def _configuration(source: str, name: str, revision: str | None) -> Any:
    cpu_torchaudio.allow_import()
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if not Path(source).is_dir():
        _ask_hub(source, revision)
    try:
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    except StrictDataclassError as error:
        reason = (
            str(error).strip().splitlines()[-1].strip().removeprefix("ValueError: ").rstrip(".")
        )
        raise BadInput(f"{name}/config.json contradicts itself ({reason}): mend it.") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if not Path(source).is_dir():
            raise _unreachable(name, error) from error
        raise BadInput(
            f"{name}/config.json is not a configuration that transformers knows: "
            f"{_model_type(Path(source))}; Secateur knows {', '.join(sorted(FAMILIES))}."
        ) from error


def _ask_hub(name: str, revision: str | None) -> None:
    """One quick question, so that no network means one sentence and not minutes of retries."""
    import httpx2 as httpx
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        if isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
            return
        HfApi().model_info(name, revision=revision, timeout=10)
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, httpx.HTTPError, OSError) as e:
        raise _unreachable(name, e) from e


def _model_type(folder: Path) -> str:
    try:
        config = json_from((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"it is not JSON ({error})"
    if not isinstance(config, dict):
        return "it is no JSON object"
    return f"its model_type is {config.get('model_type')!r}"


def _model(source: str, name: str, config: Any, revision: str | None) -> Any:
    import torch
    from safetensors import SafetensorError

    plain = _model_class(config)
    if is_packed(Path(source)):
        given = _unpacked(source, config)
    else:
        given = {"pretrained_model_name_or_path": source, "revision": revision}
    shaped = shapes.needs_shaping(config)
    kind: Any = shapes.built_to_shape(plain, name) if shaped else plain
    try:
        model, report = kind.from_pretrained(
            **given, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
    except KeyError as error:  # such as an activation
        raise BadInput(
            f"{name}/config.json asks for {error}, which transformers does not know: mend it."
        ) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(
            f"{name} has a configuration but its weights do not load: {reason}"
        ) from error
    missing = [key for key in report["missing_keys"] if not key.endswith(_DISPENSABLE)]
    if missing:
        raise BadInput(
            f"{name} lacks {len(missing)} weights that its configuration asks for, "
            f"{sorted(missing)[0]} among them: give a checkpoint fine-tuned for recognition."
        )
    refuse_unknown_weights(report["unexpected_keys"], name)
    if getattr(model, "_hf_peft_config_loaded", False):
        raise BadInput(
            f"{name} has an adapter, which PEFT applied: merge it into the weights "
            "(merge_and_unload), save those, and give their folder."
        )
    for key in report["missing_keys"]:
        if key.endswith("masked_spec_embed"):  # heard only in training; random else
            torch.nn.init.zeros_(model.get_parameter(key))
    model.__class__ = plain
    for settings in (model.config, getattr(model, "generation_config", None)):
        _forget_code(settings)
    model.name_or_path = model.config.name_or_path = source  # which unpacked weights do not say
    return model.eval()


def _forget_code(settings: Any) -> None:
    """What is saved must not ask for files of code that transformers' own classes stood in for."""
    if hasattr(settings, "auto_map"):
        del settings.auto_map


def _unpacked(source: str, config: Any) -> dict[str, Any]:
    """What `from_pretrained` wants to be given in place of a folder that it would look into."""
    return {
        "pretrained_model_name_or_path": None,
        "config": config,
        "generation_config": _generation_settings(Path(source)),
        "state_dict": packed_weights(Path(source)),
    }


def _generation_settings(folder: Path) -> Any:
    """None where transformers would take its own; CTC models have none."""
    from transformers import GenerationConfig

    file = folder / "generation_config.json"
    try:
        return GenerationConfig.from_pretrained(folder) if file.is_file() else None
    except OSError as error:
        raise BadInput(f"{file} is not JSON that transformers can read: copy it again.") from error


def _model_class(config: Any) -> Any:
    from transformers import AutoModelForCTC, AutoModelForSpeechSeq2Seq

    auto = AutoModelForSpeechSeq2Seq if config.model_type == "whisper" else AutoModelForCTC
    return auto._model_mapping[type(config)]


def _processor(source: str, name: str, config: Any, revision: str | None) -> Any:
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kind: Any = PROCESSOR_MAPPING[type(config)]
    try:
        processor = kind.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise BadInput(
            f"{name} has no tokenizer or feature extractor that transformers can open: "
            "save the processor beside the model (processor.save_pretrained)."
        ) from error
    _forget_code(processor.feature_extractor)
    processor.tokenizer.init_kwargs.pop("auto_map", None)
    return processor


def _refuse_broken_weights(model: Any, name: str) -> None:
    for key, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise BadInput(f"{name} has NaN or infinite weights in {key}: it cannot be used.")
