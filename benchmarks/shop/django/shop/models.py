"""The same eleven tables as those of the FastAPI application."""

from django.db.models import CASCADE, CharField, DecimalField, ForeignKey, IntegerField, Model


class Country(Model):
    code = CharField(primary_key=True, max_length=2)
    name = CharField(max_length=50)


class Category(Model):
    slug = CharField(primary_key=True, max_length=50)
    name = CharField(max_length=50)


class Supplier(Model):
    code = CharField(primary_key=True, max_length=50)
    country = ForeignKey(Country, CASCADE)


class Warehouse(Model):
    code = CharField(primary_key=True, max_length=50)
    country = ForeignKey(Country, CASCADE)


class Product(Model):
    sku = CharField(primary_key=True, max_length=50)
    name = CharField(max_length=50)
    price = DecimalField(max_digits=10, decimal_places=2)
    category = ForeignKey(Category, CASCADE)
    supplier = ForeignKey(Supplier, CASCADE)


class Stock(Model):
    product = ForeignKey(Product, CASCADE)
    warehouse = ForeignKey(Warehouse, CASCADE)
    pieces = IntegerField()


class Customer(Model):
    email = CharField(unique=True, max_length=100)


class Address(Model):
    customer = ForeignKey(Customer, CASCADE)
    country = ForeignKey(Country, CASCADE)


class Order(Model):
    customer = ForeignKey(Customer, CASCADE)


class Line(Model):
    order = ForeignKey(Order, CASCADE)
    product = ForeignKey(Product, CASCADE)
    pieces = IntegerField()


class Payment(Model):
    order = ForeignKey(Order, CASCADE)
    amount = DecimalField(max_digits=10, decimal_places=2)
