"""The settings of the Django application."""

import os

server = os.environ
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": server["PGUSER"],
        "HOST": server["PGHOST"],
        "PORT": server["PGPORT"],
        "TEST": {"NAME": "shop"},
    }
}
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.views"
SECRET_KEY = "secret"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
