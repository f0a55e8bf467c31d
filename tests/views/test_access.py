import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from cluster.models import User
from cluster.views.access import administrator_required, operator_required

MAY = [
    (operator_required, User.Role.VIEWER, False),
    (operator_required, User.Role.OPERATOR, True),
    (operator_required, User.Role.ADMINISTRATOR, True),
    (administrator_required, User.Role.VIEWER, False),
    (administrator_required, User.Role.OPERATOR, False),
    (administrator_required, User.Role.ADMINISTRATOR, True),
]


def view(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(f"done {slug}")


@pytest.mark.parametrize(("guard", "role", "may"), MAY)
def test_roles(guard, role, may):
    request = HttpRequest()
    request.user = User(username="li", role=role)
    if may:
        assert guard(view)(request, slug="lab").content == b"done lab"
    else:
        with pytest.raises(PermissionDenied, match="Nothing was changed"):
            guard(view)(request, slug="lab")
