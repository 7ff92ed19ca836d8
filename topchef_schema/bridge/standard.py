"""The environment of a project that is configured by its ini file alone: TopChef's own.

``alembic/env.py`` calls `run`. It works under plain ``alembic`` as under ``topchef-db``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from topchef_schema.bridge.configuration import load_object
from topchef_schema.bridge.portable_words import portable_first

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

SECTION = "topchef"


def run() -> None:
    """Run the migrations of the environment that Alembic has set up.

    The metadata is what ``metadata`` of the ini's ``[topchef]`` names; the URL is
    ``sqlalchemy.url``, else ``TOPCHEF_DATABASE_URL``, else ``default_url`` of ``[topchef]``.
    """
    from alembic import context

    options = _options(context.config)
    if context.is_offline_mode():
        context.configure(
            url=_url(context.config), literal_binds=True, dialect_opts=_NAMED, **options
        )
        with context.begin_transaction():
            context.run_migrations()
        return
    given = context.config.attributes.get("connection")
    if given is not None:
        _online(given, options)
        return
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(_url(context.config), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            _online(connection, options)
    finally:
        engine.dispose()


_NAMED = {"paramstyle": "named"}


def _online(connection: Connection, options: dict[str, Any]) -> None:
    from alembic import context

    context.configure(connection=connection, **options)
    with context.begin_transaction():
        context.run_migrations()


def _options(config: Config) -> dict[str, Any]:
    reference = _setting(config, "metadata")
    metadata = load_object(reference, where="setting metadata") if reference else None
    return {
        "target_metadata": _without_convention(metadata),
        "render_item": portable_first(None),
        # SQLite changes a table by copying it; the same operations are ALTER elsewhere.
        "render_as_batch": True,
        "compare_server_default": True,
        "transaction_per_migration": True,
    }


def _without_convention(metadata: Any) -> Any:
    """Return *metadata* without its naming convention; the names that it gave are all there.

    Operations give what has no name one by the convention of ``target_metadata``: what a revision
    makes would change with the models, and the unnamed constraints of old databases could not be
    written down at all.
    """
    import copy

    from sqlalchemy import MetaData

    if not isinstance(metadata, MetaData):
        return metadata
    plain = copy.copy(metadata)
    plain.naming_convention = MetaData().naming_convention
    return plain


def _url(config: Config) -> str:
    return (
        config.get_main_option("sqlalchemy.url")
        or os.environ.get("TOPCHEF_DATABASE_URL")
        or _setting(config, "default_url")
        or ""
    )


def _setting(config: Config, name: str) -> str | None:
    return config.file_config.get(SECTION, name, fallback=None)
