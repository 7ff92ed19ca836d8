"""Most of what ``configure`` takes, the connection by its position."""

import sqlalchemy as sa
from alembic import context

config = context.config
naming = {"ix": "ix_%(column_0_label)s", "pk": "pk_%(table_name)s"}
metadata = sa.MetaData(naming_convention=naming)


def include_object(object, name, type_, reflected, compare_to):
    return not name.startswith("legacy_")


def include_name(name, type_, parent_names):
    return type_ != "schema" or name is None


options = {
    "target_metadata": metadata,
    "compare_type": True,
    "compare_server_default": True,
    "include_schemas": True,
    "include_object": include_object,
    "include_name": include_name,
    "render_as_batch": True,
    "render_item": lambda type_, item, autogen_context: False,
    "process_revision_directives": lambda context, revision, directives: None,
    "on_version_apply": lambda ctx, step, heads, run_args: None,
    "user_module_prefix": "shop.",
    "sqlalchemy_module_prefix": "sqla.",
    "alembic_module_prefix": "op.",
    "version_table": "shop_versions",
    "version_table_pk": False,
    "upgrade_token": "up",
    "downgrade_token": "down",
    "shop": "an option of its own",
}

if context.is_offline_mode():
    context.configure(
        url=config.get_main_option("sqlalchemy.url"),
        literal_binds=True,
        transactional_ddl=False,
        output_encoding="utf-8",
        template_args={"shop": "corner"},
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    section = config.get_section(config.config_ini_section)
    with sa.engine_from_config(section, poolclass=sa.NullPool).connect() as connection:
        context.configure(connection, **options)
        with context.begin_transaction():
            context.run_migrations()
