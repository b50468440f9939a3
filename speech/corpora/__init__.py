"""Corpora: clips with what was said in them, from a name, a folder or the Hugging Face Hub."""

from speech.corpora.corpus import Clip, Corpus
from speech.corpora.opening import open_corpus

__all__ = ["Clip", "Corpus", "open_corpus"]
