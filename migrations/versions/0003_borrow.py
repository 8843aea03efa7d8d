"""Interest on borrowed coins, by hedge."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hedges", sa.Column("borrow_usd", sa.Text(), nullable=False, server_default="0"))


def downgrade() -> None:
    raise RuntimeError("books are not taken back to an older version; restore the backup made before the upgrade")
