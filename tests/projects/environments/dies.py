"""Is killed at one statement of all those that are sent, ours and those of the revisions."""

import os
import signal

from alembic import context
from sqlalchemy import create_engine, event, pool

target_metadata = None
url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool)
moment, at = os.environ.get("DIES", "never 0").split()


def count(*_):
    # One command runs this file more than once.
    os.environ["SENT"] = str(int(os.environ.get("SENT", "0")) + 1)
    if os.environ["SENT"] == at:
        os.kill(os.getpid(), signal.SIGKILL)


if moment != "never" and url == os.environ.get("SHOP"):  # and not a scratch database
    event.listen(engine, f"{moment}_cursor_execute", count)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        transaction_per_migration=os.environ.get("EACH") == "1",
    )
    with context.begin_transaction():
        context.run_migrations()
if "COUNTED" in os.environ:
    with open(os.environ["COUNTED"], "w") as file:
        file.write(os.environ["SENT"])
