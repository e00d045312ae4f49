"""Reports read the books as a role of their own."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT ON accounts, entries, transfers TO ledger_reports")


def downgrade() -> None:
    op.execute("REVOKE SELECT ON accounts, entries, transfers FROM ledger_reports")
