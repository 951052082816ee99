from django.urls import path
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView


class HasScope(BasePermission):
    """Needs the scope that the view's required_scopes names for the method."""

    def has_permission(self, request, view):
        required = view.required_scopes.get(request.method)
        return bool(request.auth) and required in request.auth.get("scope", "").split()


class Books(APIView):
    permission_classes = [HasScope]
    required_scopes = {"GET": "books:read", "POST": "books:write"}

    def get(self, request):
        return Response({"books of": request.user.pk})

    def post(self, request):
        return Response(status=201)


urlpatterns = [path("books", Books.as_view())]
