"""Transfers and their entries, which sum to zero."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ENTRIES_FUNCTION = """
CREATE FUNCTION entries_sum_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint = coalesce(NEW.transfer_id, OLD.transfer_id);
BEGIN
    IF (SELECT sum(amount) FROM entries WHERE transfer_id = checked) <> 0 THEN
        RAISE check_violation USING
            MESSAGE = 'the entries of transfer ' || checked || ' do not sum to zero',
            CONSTRAINT = 'entries_sum_to_zero';
    END IF;
    RETURN NULL;
END
$$
"""
ENTRIES_TRIGGER = """
CREATE CONSTRAINT TRIGGER entries_sum_to_zero AFTER INSERT OR UPDATE OR DELETE ON entries
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entries_sum_to_zero()
"""


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("memo", sa.String(140), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfers"),
        sa.ForeignKeyConstraint(["source_id"], ["accounts.id"], name="fk_transfers_source_id"),
        sa.ForeignKeyConstraint(["target_id"], ["accounts.id"], name="fk_transfers_target_id"),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfers_positive")),
        sa.CheckConstraint("source_id <> target_id", name=op.f("ck_transfers_moves")),
    )
    op.create_index("ix_transfers_source_id", "transfers", ["source_id"])
    op.create_index("ix_transfers_target_id", "transfers", ["target_id"])
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name="fk_entries_transfer_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_entries_account_id"),
    )
    op.create_index("ix_entries_transfer_id", "entries", ["transfer_id"])
    op.create_index("ix_entries_account_id", "entries", ["account_id"])
    op.execute(ENTRIES_FUNCTION)
    op.execute(ENTRIES_TRIGGER)


def downgrade() -> None:
    op.drop_table("entries")
    op.execute("DROP FUNCTION entries_sum_to_zero()")
    op.drop_table("transfers")
