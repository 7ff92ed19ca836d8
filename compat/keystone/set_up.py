"""What keystone does before it calls Alembic."""

import keystone.conf


def prepare(config):
    """Set keystone's configuration up; its logging is for its own command."""
    keystone.conf.configure()
    config.attributes["configure_logger"] = False
