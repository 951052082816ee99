from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class Books(APIView):
    required_scopes = {"GET": "books:read", "POST": "books:write"}

    def get(self, request):
        return Response({"books of": request.user.pk})

    def post(self, request):
        return Response(status=201)


urlpatterns = [path("books", Books.as_view())]
