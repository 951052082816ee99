import os

import requests
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import BasePermission


class NotChecked(APIException):
    status_code = 503
    default_detail = "The token could not be checked."


class Caller:
    is_authenticated = True

    def __init__(self, subject):
        self.pk = subject


class Introspection(BaseAuthentication):
    """Sets request.user, and request.auth to what is known of the token."""

    def authenticate(self, request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token.strip():
            raise AuthenticationFailed()
        try:
            answer = requests.post(
                os.environ["ISSUER"] + "/oauth/introspect", data={"token": token.strip()},
                auth=("books", os.environ["BOOKS_SECRET"]), timeout=5, allow_redirects=False)
        except requests.RequestException as error:
            raise NotChecked() from error
        if answer.status_code != 200:
            raise NotChecked()
        facts = answer.json()
        if facts.get("active") is not True:
            raise AuthenticationFailed("The token is not valid.")
        return Caller(facts["sub"]), facts

    def authenticate_header(self, request):
        return 'Bearer realm="books"'


class HasScope(BasePermission):
    """Needs the scope that the view's required_scopes names for the method."""

    def has_permission(self, request, view):
        required = view.required_scopes.get(request.method)
        return bool(request.auth) and required in request.auth["scope"].split()
