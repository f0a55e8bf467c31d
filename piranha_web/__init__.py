"""The Django project: wiring only, the product is in ``cluster``."""

from piranha_web.celery import app as celery_app

__all__ = ["celery_app"]
