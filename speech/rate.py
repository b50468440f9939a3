"""The one rate of all audio, where also those can name it who load no numpy."""

#: Samples per second that Whisper, SEW and wav2vec 2.0 all expect.
RATE = 16_000
