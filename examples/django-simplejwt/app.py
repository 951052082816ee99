import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    ROOT_URLCONF="views",
    SECRET_KEY="signs nothing here",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["authentication.RevocableAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    SIMPLE_JWT={
        "ALGORITHM": "ES256",
        "JWK_URL": os.environ["ISSUER"] + "/.well-known/jwks.json",
        "ISSUER": os.environ["ISSUER"],
        "AUDIENCE": "https://books.example",
        "USER_ID_CLAIM": "sub",
        "JTI_CLAIM": "jti",
        "TOKEN_TYPE_CLAIM": None,  # RFC 9068: the header names it, and nothing else of this audience has an end
        "LEEWAY": 10,
    },
)

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
