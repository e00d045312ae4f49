from sqlalchemy import Column, Integer, MetaData, Table, Text

metadata = MetaData()

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)
