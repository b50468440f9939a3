"""Which language a Whisper checkpoint is told to expect."""

from typing import Any

from speech.errors import BadInput


def speech_choice(model: Any, language: str | None, task: str | None) -> dict[str, str]:
    """Language and task for `generate`: as asked, else the checkpoint's, else English as spoken.

    Empty for a checkpoint that knows one language only; asking it for another is an error.
    `generate` itself would guess the language for every clip, at the cost of a decoder step.
    """
    settings = model.generation_config
    languages = getattr(settings, "lang_to_id", None)
    if not languages or not getattr(settings, "is_multilingual", True):
        if language or task:
            raise BadInput(
                f"The checkpoint knows one language: leave out {language or task!r}, "
                "or take a multilingual checkpoint."
            )
        return {}
    chosen = _language_token(language or getattr(settings, "language", None) or "en")
    if chosen not in languages:
        known = ", ".join(sorted(token.strip("<|>") for token in languages))
        asked = language or chosen.strip("<|>")
        raise BadInput(f"The checkpoint does not know the language {asked!r}, but: {known}.")
    task = task or getattr(settings, "task", None) or "transcribe"
    tasks = getattr(settings, "task_to_id", None) or {}
    if task not in tasks:
        raise BadInput(f"The checkpoint does not know the task {task!r}, but: {', '.join(tasks)}.")
    return {"language": chosen, "task": task}


def _language_token(language: str) -> str:
    """`<|en|>` for "en", "English" or itself."""
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    plain = language.lower().strip("<|>")
    return f"<|{TO_LANGUAGE_CODE.get(plain, plain)}|>"
