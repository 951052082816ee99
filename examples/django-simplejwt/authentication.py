"""Looks tokens up in the status list that each of them names (Token Status List). A list is kept for as long as it allows."""
import base64
import os
import time
import zlib

import jwt
import requests
from rest_framework.exceptions import APIException
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.state import token_backend

ISSUER = os.environ["ISSUER"]
lists = {}  # by URI: until when, and the bits


class NotKnown(APIException):
    status_code = 503
    default_detail = "It cannot be found out whether the token was revoked."
    wait = 5  # Retry-After


class RevocableAuthentication(JWTStatelessUserAuthentication):
    def get_validated_token(self, raw_token):
        token = super().get_validated_token(raw_token)
        try:
            revoked = is_revoked(**token["status"]["status_list"])
        except Exception as error:  # whatever it is: no word of revocations, no access
            raise NotKnown() from error
        if revoked:
            raise InvalidToken("The token was revoked.")
        return token


def is_revoked(idx, uri):
    until, bits = lists.get(uri, (0, b""))
    if time.monotonic() >= until:
        until, bits = fetch_list(uri)
        if len(lists) >= 1000:
            lists.clear()
        lists[uri] = until, bits
    return bits[idx // 8] >> idx % 8 & 1 == 1


def fetch_list(uri):
    if not uri.startswith(ISSUER + "/"):
        raise ValueError("the status list is somewhere else")
    asked = time.monotonic()
    answer = requests.get(uri, timeout=5, allow_redirects=False)
    answer.raise_for_status()
    if jwt.get_unverified_header(answer.text).get("typ") != "statuslist+jwt":
        raise jwt.InvalidTokenError("not a status list")
    claims = jwt.decode(
        answer.text, token_backend.jwks_client.get_signing_key_from_jwt(answer.text), algorithms=["ES256"],
        issuer=ISSUER, subject=uri, leeway=10, options={"require": ["exp", "iss", "sub", "ttl"]})
    return asked + claims["ttl"], zlib.decompress(base64.urlsafe_b64decode(claims["status_list"]["lst"] + "=="))
