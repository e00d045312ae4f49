"""Users, currencies and accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "currencies",
        sa.Column("code", sa.String(3), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_currencies"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_accounts_owner_id"),
        sa.ForeignKeyConstraint(["currency"], ["currencies.code"], name="fk_accounts_currency"),
        sa.CheckConstraint("owner_id IS NULL OR balance >= 0", name=op.f("ck_accounts_covered")),
    )
    op.create_index("ix_accounts_owner_id", "accounts", ["owner_id"])
    op.create_index(
        "ix_accounts_house",
        "accounts",
        ["currency"],
        unique=True,
        postgresql_where=sa.text("owner_id IS NULL"),
    )
    op.execute("INSERT INTO currencies (code) VALUES ('EUR'), ('USD')")
    op.execute("INSERT INTO accounts (currency) SELECT code FROM currencies ORDER BY code")


def downgrade() -> None:
    op.drop_table("accounts")
    op.drop_table("currencies")
    op.drop_table("users")
