"""Output formats: one file each with a `FORMAT`, a function from a Report to a string."""
