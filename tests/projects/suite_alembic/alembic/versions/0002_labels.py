import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    labels = op.create_table("labels", sa.Column("name", sa.String(20), primary_key=True))
    op.bulk_insert(labels, [{"name": "home"}, {"name": "work"}])
    op.add_column("tasks", sa.Column("label", sa.String(20), sa.ForeignKey("labels.name")))


def downgrade():
    op.drop_column("tasks", "label")
    op.drop_table("labels")
