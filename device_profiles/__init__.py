"""What we know of each device before measuring: one TOML file per device."""
