"""As Flask-Migrate writes it: an application object has the engine and the arguments."""

import logging
import os
from types import SimpleNamespace

import sqlalchemy as sa
from alembic import context

logger = logging.getLogger("alembic.env")


def create_app():
    engine = sa.create_engine(os.environ["SHOP_DATABASE"])
    db = SimpleNamespace(engine=engine, metadatas={None: sa.MetaData()})
    migrate = SimpleNamespace(db=db, configure_args={"compare_type": True})
    return SimpleNamespace(extensions={"migrate": migrate})


current_app = create_app()
config = context.config
target_db = current_app.extensions["migrate"].db
shown = target_db.engine.url.render_as_string(hide_password=False).replace("%", "%%")
config.set_main_option("sqlalchemy.url", shown)


def run_migrations_offline():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=target_db.metadatas[None], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    def process_revision_directives(context, revision, directives):
        if getattr(config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
            directives[:] = []
            logger.info("No changes in schema detected.")

    conf_args = current_app.extensions["migrate"].configure_args
    if conf_args.get("process_revision_directives") is None:
        conf_args["process_revision_directives"] = process_revision_directives
    with target_db.engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=target_db.metadatas[None], **conf_args
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
