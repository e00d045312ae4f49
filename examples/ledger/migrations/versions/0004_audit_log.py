"""The audit log, partitioned by month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", "at", name="pk_audit_log"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_log_action", "audit_log", ["action"])
    op.execute("CREATE TABLE audit_log_remainder PARTITION OF audit_log DEFAULT")


def downgrade() -> None:
    op.drop_table("audit_log")
