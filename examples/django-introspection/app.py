import sys

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    ROOT_URLCONF="views",
    SECRET_KEY="signs nothing here",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["authentication.Introspection"],
        "DEFAULT_PERMISSION_CLASSES": ["authentication.HasScope"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
