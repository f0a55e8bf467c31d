"""People who may sign in, and what each of them may do."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """Viewers look; operators plan and apply; administrators add hosts and people."""

    VIEWER = "viewer", _("viewer")
    OPERATOR = "operator", _("operator")
    ADMINISTRATOR = "administrator", _("administrator")


class User(AbstractUser):
    """A person who may sign in. There is none until the set-up link was used."""

    Role = Role

    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)

    @property
    def may_operate(self) -> bool:
        return self.role in (Role.OPERATOR, Role.ADMINISTRATOR)

    @property
    def may_administer(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username
