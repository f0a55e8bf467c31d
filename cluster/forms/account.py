"""Logging in, the first administrator, a new password."""

from typing import Any

from django.contrib.auth.forms import (
    AuthenticationForm,
    BaseUserCreationForm,
    PasswordChangeForm,
)
from django.utils.translation import gettext_lazy as _

from cluster.forms.base import Styled
from cluster.models import User

# Argon2 is slow on purpose; megabytes of "password" would make it a weapon.
_LONGEST = 256


class LoginForm(Styled, AuthenticationForm):
    error_messages = {
        # The same words for every reason: a stranger learns nothing about accounts.
        "invalid_login": _("The name or the password is wrong."),
        "inactive": _("The name or the password is wrong."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Name")
        self.fields["password"].max_length = _LONGEST  # type: ignore[attr-defined]


class SetupForm(Styled, BaseUserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username",)
        labels = {"username": _("Your name")}
        help_texts = {"username": _("You log in with it, and the audit log shows it.")}

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit=False)
        user.role = User.Role.ADMINISTRATOR
        user.is_superuser = True
        user.is_staff = True
        if commit:
            user.save()
        return user


class PasswordForm(Styled, PasswordChangeForm):
    pass
