"""The rows that every installation has."""

from django.db import migrations

ROWS = {
    "Country": [{"code": code, "name": code} for code in ("AT", "CH", "DE")],
    "Category": [{"slug": slug, "name": slug.title()} for slug in ("tools", "paint", "books")],
    "Supplier": [{"code": "north", "country_id": "DE"}, {"code": "south", "country_id": "AT"}],
    "Warehouse": [{"code": "main", "country_id": "DE"}, {"code": "spare", "country_id": "CH"}],
    "Product": [
        {
            "sku": f"sku-{n}",
            "name": f"Product {n}",
            "price": n,
            "category_id": ("tools", "paint")[n % 2],
            "supplier_id": ("north", "south")[n % 2],
        }
        for n in range(1, 6)
    ],
    "Stock": [
        {"product_id": f"sku-{n}", "warehouse_id": code, "pieces": n} for n in range(1, 6) for code in ("main", "spare")
    ],
}


def insert_rows(apps, editor):
    for name, rows in ROWS.items():
        model = apps.get_model("shop", name)
        model.objects.bulk_create([model(**row) for row in rows])


class Migration(migrations.Migration):
    dependencies = (("shop", "0001_initial"),)
    operations = (migrations.RunPython(insert_rows, migrations.RunPython.noop),)
