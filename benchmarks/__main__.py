"""`make bench`: every benchmark that runs in a minute or two."""

from benchmarks import features, startup

features.main()
startup.main()
