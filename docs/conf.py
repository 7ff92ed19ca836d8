"""How Sphinx builds these pages: from Markdown, and from the docstrings of TopChef's schema."""

from __future__ import annotations

from topchef_schema import __version__

project = "Topchef Schema"
version = release = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "py:obj"
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Topchef Schema {__version__}"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {
    # What Python and SQLAlchemy put into every class says nothing about ours.
    "exclude-members": ", ".join(
        [
            "__abstractmethods__",
            "__annotations__",
            "__dict__",
            "__firstlineno__",
            "__mapper__",
            "__module__",
            "__parameters__",
            "__orig_bases__",
            "__slots__",
            "__static_attributes__",
            "__table__",
            "__weakref__",
            "_abc_impl",
            "_sa_class_manager",
            "_sa_registry",
            "cache_ok",
            "inherit_cache",
            "registry",
        ]
    ),
}
