"""The speech of a recipe, by what it is for."""

from pipeline.recipe.schema import Recipe
from speech.corpora import Corpus, open_corpus


def scored_on(recipe: Recipe) -> Corpus:
    """The same clips for all variants."""
    corpus = recipe.corpus
    return open_corpus(corpus.evaluate, split=corpus.split, limit=corpus.limit, seed=recipe.seed)


def heard_by(recipe: Recipe, seed: int) -> Corpus:
    """What methods that listen are calibrated on."""
    corpus = recipe.corpus
    clips = corpus.calibration_clips
    return open_corpus(corpus.calibrate, split=corpus.calibration_split, limit=clips, seed=seed)


def learnt_by(recipe: Recipe, seed: int) -> Corpus | None:
    """What fine-tuning learns from; None for what calibrates."""
    corpus = recipe.corpus
    if corpus.lessons is None:
        return None
    return open_corpus(
        corpus.lessons, split=corpus.lessons_split, limit=corpus.lessons_limit, seed=seed
    )
