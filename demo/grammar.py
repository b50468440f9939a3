"""What people say to a house: a small grammar of voice commands and digit strings."""

import random
from collections.abc import Callable, Sequence

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

ROOMS = [
    "kitchen",
    "bedroom",
    "bathroom",
    "hallway",
    "garage",
    "office",
    "attic",
    "basement",
    "garden",
    "nursery",
]
DEVICES = ["lights", "lamp", "fan", "heater", "radio", "television", "speaker", "humidifier"]
COVERS = ["blinds", "curtains", "window", "shutters"]
MACHINES = ("dishwasher", "vacuum", "washing machine", "coffee maker", "oven", "sprinkler")
MUSIC = ["jazz", "rock", "blues", "opera", "folk"]
PEOPLE = ["anna", "peter", "maria", "john", "susan", "oliver"]
GROCERIES = ["milk", "bread", "butter", "apples", "rice", "cheese", "coffee", "sugar"]
UNITS = ["seconds", "minutes", "hours"]

Rule = Callable[[random.Random], str]


def number(n: int) -> str:
    """English words for 0 to 99."""
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return TEENS[n - 10]
    tens = TENS[n // 10 - 2]
    return tens if n % 10 == 0 else f"{tens} {DIGITS[n % 10]}"


def _digits(r: random.Random) -> str:
    string = " ".join(r.choice(DIGITS) for _ in range(r.randint(2, 6)))
    return r.choice(["", "", "", "dial ", "code "]) + string


def _switch(r: random.Random) -> str:
    verb = f"{r.choice(['turn', 'switch'])} {r.choice(['on', 'off'])}"
    return f"{verb} the {r.choice(ROOMS)} {r.choice(DEVICES)}"


def _climate(r: random.Random) -> str:
    what = r.choice(["temperature", "thermostat", "heating"])
    return f"set the {what} to {number(r.randint(12, 29))} degrees"


def _dim(r: random.Random) -> str:
    lights = f"{r.choice(['dim', 'brighten'])} the {r.choice(ROOMS)} lights"
    return lights if r.random() < 0.4 else f"{lights} to {number(r.randint(1, 99))} percent"


def _cover(r: random.Random) -> str:
    return f"{r.choice(['open', 'close', 'lock'])} the {r.choice(ROOMS)} {r.choice(COVERS)}"


def _machine(r: random.Random) -> str:
    return f"{r.choice(['start', 'stop', 'pause'])} the {r.choice(MACHINES)}"


def _timer(r: random.Random) -> str:
    what = r.choice(["timer", "alarm"])
    return f"set a {what} for {number(r.randint(2, 59))} {r.choice(UNITS)}"


def _music(r: random.Random) -> str:
    return f"play {r.choice(['some ', ''])}{r.choice(MUSIC)} in the {r.choice(ROOMS)}"


def _question(r: random.Random) -> str:
    what = r.choice(["temperature", "humidity"])
    return f"what is the {what} in the {r.choice(ROOMS)}"


def _call(r: random.Random) -> str:
    return f"{r.choice(['call', 'message'])} {r.choice(PEOPLE)} {r.choice(['now', 'please'])}"


def _shopping(r: random.Random) -> str:
    return f"add {r.choice(GROCERIES)} and {r.choice(GROCERIES)} to the list"


RULES: tuple[tuple[float, Rule], ...] = (
    (5.0, _digits),
    (2.5, _switch),
    (1.5, _climate),
    (1.5, _dim),
    (1.5, _cover),
    (1.0, _machine),
    (1.5, _timer),
    (1.0, _music),
    (0.7, _question),
    (0.7, _call),
    (1.0, _shopping),
)


def sentence(r: random.Random) -> str:
    """One random utterance, lower case, without punctuation."""
    weights: Sequence[float] = [weight for weight, _ in RULES]
    (_, rule), *_ = r.choices(RULES, weights)
    return rule(r)
