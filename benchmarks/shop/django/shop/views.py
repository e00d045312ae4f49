"""The same requests and the same statements as in the FastAPI application."""

from django.db import transaction
from django.db.models import Sum
from django.http import JsonResponse
from django.urls import path

from shop.models import Customer, Line, Order, Product


def products():
    """Return sku, category and pieces of all products."""
    rows = Product.objects.order_by("sku").values_list("sku", "category__name").annotate(Sum("stock__pieces"))
    return [list(row) for row in rows]


def register(email):
    """Commit a customer: a row in one table."""
    return Customer.objects.create(email=email).pk


@transaction.atomic
def buy(email):
    """Commit a customer with an order of two products: rows in three tables."""
    order = Order.objects.create(customer=Customer.objects.create(email=email))
    Line.objects.bulk_create([Line(order=order, product_id=f"sku-{n}", pieces=n) for n in (1, 2)])
    return order.pk


def counts():
    """Return the numbers of customers, orders and lines."""
    return [model.objects.count() for model in (Customer, Order, Line)]


def get_products(request):
    return JsonResponse(products(), safe=False)


def post_customer(request):
    return JsonResponse(register(request.GET["email"]), safe=False, status=201)


def post_order(request):
    return JsonResponse(buy(request.GET["email"]), safe=False, status=201)


def get_counts(request):
    return JsonResponse(counts(), safe=False)


urlpatterns = [
    path("products", get_products),
    path("customers", post_customer),
    path("orders", post_order),
    path("counts", get_counts),
]
