"""The error of a config that says what its author did not mean."""


class ConfigError(ValueError):
    """A config cannot be used; the message says which entry is wrong and what may be meant."""
