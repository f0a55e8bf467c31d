"""The application's URLs. Without a log-in: setup, login, health, set_language."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path
from django.views.i18n import set_language

from cluster.views import account

app_name = "cluster"
urlpatterns: list[URLPattern | URLResolver] = [
    path("health", account.health, name="health"),
    path("setup/<str:token>/", account.setup, name="setup"),
    path("login/", account.login, name="login"),
    path("logout/", account.logout, name="logout"),
    path("password/", account.password, name="password"),
    path("language/", login_not_required(set_language), name="set_language"),
]
