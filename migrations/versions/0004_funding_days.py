"""Rule R1's days one by one, so that a settlement which is delivered late counts into its own day.

What was judged before stays judged: of the older memory only the day that runs is open, and settlements up to the
newest one counted count no more.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RUNS = "negative_days", "positive_days", "removed", "removed_ms", "reason"


def upgrade() -> None:
    op.add_column("coin_states", sa.Column("days", sa.Text(), nullable=False, server_default="{}"))
    books = op.get_bind()
    states = sa.table("coin_states", *(sa.column(name) for name in ("venue", "coin", "direction", "days")))
    for row in books.execute(sa.text("SELECT * FROM coin_states")).mappings().all():
        memory = {
            "days": [] if row["day"] is None else [[row["day"], row["day_carry"], []]],
            "before": [bool(row[name]) if name == "removed" else row[name] for name in RUNS],
            "floor_ms": row["counted_until_ms"],
        }
        one = (states.c[name] == row[name] for name in ("venue", "coin", "direction"))
        books.execute(states.update().where(*one).values(days=json.dumps(memory)))
    op.drop_column("coin_states", "day_carry")


def downgrade() -> None:
    raise RuntimeError("books are not taken back to an older version; restore the backup made before the upgrade")
