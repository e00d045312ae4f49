"""Objects that models cannot express, attached to the metadata: ``create_all`` builds what the migrations build."""

from __future__ import annotations

from sqlalchemy import DDL, MetaData, event

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
# Months get partitions of their own in time (ledger.partitions); what no month holds must not be lost.
AUDIT_REMAINDER = "CREATE TABLE audit_log_remainder PARTITION OF audit_log DEFAULT"
CURRENCIES = "INSERT INTO currencies (code) VALUES ('EUR'), ('USD')"
REPORTS = "GRANT SELECT ON accounts, entries, transfers TO ledger_reports"
HOUSE_ACCOUNTS = "INSERT INTO accounts (currency) SELECT code FROM currencies ORDER BY code"


def attach(metadata: MetaData) -> None:
    """Have ``create_all`` and ``drop_all`` treat these objects like tables."""
    tables = metadata.tables
    event.listen(tables["entries"], "after_create", DDL(ENTRIES_FUNCTION))
    event.listen(tables["entries"], "after_create", DDL(ENTRIES_TRIGGER))
    event.listen(tables["entries"], "after_drop", DDL("DROP FUNCTION entries_sum_to_zero()"))
    event.listen(tables["audit_log"], "after_create", DDL(AUDIT_REMAINDER))
    event.listen(tables["currencies"], "after_create", DDL(CURRENCIES))
    event.listen(tables["accounts"], "after_create", DDL(HOUSE_ACCOUNTS))
    event.listen(metadata, "after_create", DDL(REPORTS))
