"""The layout that optimum and transformers.js open: standard files, names and inputs."""
