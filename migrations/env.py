"""Alembic's entry. `bot.store.migrate` hands over its connection; for new revisions give a URL by hand:

alembic -c migrations/alembic.ini -x url=sqlite:///scratch.db revision --autogenerate --rev-id 0002 -m "why"
"""

from alembic import context
from sqlalchemy import Connection, create_engine

from bot.store.schema import METADATA


def migrate(connection: Connection) -> None:
    # SQLite can undo table changes, and `bot.store.sqlite` begins its transactions explicitly: all or nothing.
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transactional_ddl=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    context.configure(
        url=context.get_x_argument(as_dictionary=True)["url"], target_metadata=METADATA, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()
elif given is not None:
    migrate(given)
else:
    engine = create_engine(context.get_x_argument(as_dictionary=True)["url"])
    with engine.connect() as own:
        migrate(own)
    engine.dispose()
