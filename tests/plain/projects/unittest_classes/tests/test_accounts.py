import unittest

from app import Account, SessionLocal
from sqlalchemy import delete, func, select


class AccountCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = SessionLocal()
        cls.session.add(Account(owner="bank", balance=1000))
        cls.session.commit()

    @classmethod
    def tearDownClass(cls):
        cls.session.execute(delete(Account))
        cls.session.commit()
        cls.session.close()

    def setUp(self):
        self.account = Account(owner="me", balance=10)
        self.session.add(self.account)
        self.session.commit()

    def tearDown(self):
        self.session.execute(delete(Account).where(Account.owner != "bank"))
        self.session.commit()

    def bank(self):
        return self.session.scalar(select(Account.balance).where(Account.owner == "bank"))

    def test_balance(self):
        self.assertEqual(self.account.balance, 10)
        self.assertEqual(self.bank(), 1000)

    def test_deposit(self):
        self.account.balance += 5
        self.session.commit()
        self.session.refresh(self.account)
        self.assertEqual(self.account.balance, 15)

    def test_two(self):
        self.session.add(Account(owner="you"))
        self.session.commit()
        self.assertEqual(self.session.scalar(select(func.count()).select_from(Account)), 3)

    def test_reads_only(self):
        with SessionLocal() as other:
            self.assertEqual(other.scalar(select(func.count()).select_from(Account)), 2)


class TestWithASessionOfTheClass:
    session = SessionLocal()

    def teardown_method(self):
        self.session.rollback()

    @classmethod
    def teardown_class(cls):
        cls.session.close()

    def test_reads(self):
        assert self.session.scalar(select(func.count()).select_from(Account)) == 0

    def test_flushes(self):
        self.session.add(Account(owner="x"))
        self.session.flush()
        assert self.session.scalar(select(func.count()).select_from(Account)) == 1

    def test_reads_again(self):
        assert self.session.scalar(select(func.count()).select_from(Account)) == 0
