"""One question per file, answered with a Report."""
