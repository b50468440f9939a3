#!/bin/sh
# Install espeak-ng where that needs no question; otherwise `python -m demo` says how.
if command -v brew >/dev/null; then
    brew install espeak-ng
elif command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq espeak-ng
fi
exit 0
