"""Lint rules: one file each, found by lying here."""
