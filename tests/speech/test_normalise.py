"""The normalisers are Whisper's own, so that our error rates compare with published ones."""

import json
from importlib.resources import files

import pytest
from transformers.models.whisper.english_normalizer import (
    BasicTextNormalizer,
    EnglishTextNormalizer,
)

from speech.errors import BadInput
from speech.normalise import NAMES, normalizer

SENTENCES = [
    "",
    "   ",
    "Hello, World!",
    "[noise] well (laughs) hello <unk>",
    "twenty one",
    "six four seven five",
    "two thousand and ten, nineteen ninety nine",
    "one oh one and double five triple six",
    "three point one four",
    "one hundred twenty three thousand four hundred and five",
    "two and a half million",
    "the 21st century, the twenties, the twenty first",
    "1,000,000 people",
    "$3.50 and five cents, £20, €2.50, ¢99",
    "ten thousand dollars",
    "fifty percent, 50 per cent, minus seven",
    "He's gonna say I won't, can't and I'd've y'all",
    "Mr. Smith and Dr. Jones",
    "uh um hmm yes mhm",
    "The colour of the organisation's analysed programme",
    "travelled to the theatre and the grey centre",
    "café naïve Ærø Straße Łódź",
    "it is five o'clock 's",
    "forty-two - or not",
    "हिन्दी 中文字符 ёлка",
    "zero zero seven",
    "3/4 of a mile",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_they_equal_transformers(sentence):
    spelling = json.loads(
        files("whisper_normalizer").joinpath("normalizers/english.json").read_text()
    )
    english = EnglishTextNormalizer(spelling)
    assert normalizer("english")(sentence) == english(sentence).strip()
    assert normalizer("basic")(sentence) == BasicTextNormalizer()(sentence).strip()


def test_rules_that_whisper_does_not_have_are_not_applied():
    text = "i dunno kinda the cause sorta"
    assert normalizer("english")(text) == text


def test_none_leaves_the_text_but_for_its_ends():
    assert normalizer("none")("  Hello, World! ") == "Hello, World!"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(BadInput, match="'englsh'; did you mean 'english'"):
        normalizer("englsh")
    with pytest.raises(BadInput, match="basic, english, none"):
        normalizer("zzz")


@pytest.mark.parametrize("name", NAMES)
def test_normalising_twice_changes_nothing_more(name):
    for sentence in ("Hello,   WORLD!", "the colour (laughs) of café"):
        once = normalizer(name)(sentence)
        assert normalizer(name)(once) == once
