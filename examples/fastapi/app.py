import os

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from revocations import NotKnown, Revocations

ISSUER = os.environ["ISSUER"]
# A key that is not known is looked for at most every 30 seconds: anybody can name one.
keys = jwt.PyJWKClient(ISSUER + "/.well-known/jwks.json", timeout=5, cooldown_duration=30)
revocations = Revocations(ISSUER)
app = FastAPI()


def refused(status, challenge):
    return HTTPException(status, headers={"WWW-Authenticate": "Bearer " + challenge})


def token(request: Request):
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise refused(401, 'realm="books"')
    try:
        if jwt.get_unverified_header(text).get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        claims = jwt.decode(
            text, keys.get_signing_key_from_jwt(text), algorithms=["ES256"], issuer=ISSUER, audience="https://books.example",
            leeway=10, options={"require": ["exp", "iss", "aud", "sub", "client_id", "scope", "sc_grant", "sc_epoch"]})
        if revocations.hold(claims):
            raise jwt.InvalidTokenError("revoked")
        return claims
    except (jwt.PyJWKClientConnectionError, NotKnown) as error:
        raise HTTPException(503, headers={"Retry-After": "5"}) from error
    except jwt.PyJWTError as error:
        raise refused(401, 'error="invalid_token"') from error


def scope(required):
    def check(claims=Depends(token)):
        if required not in claims["scope"].split():
            raise refused(403, f'error="insufficient_scope", scope="{required}"')
        return claims

    return check


@app.get("/books")
def books(claims=Depends(scope("books:read"))):
    return {"books of": claims["sub"]}


@app.post("/books", status_code=201)
def add(claims=Depends(scope("books:write"))):
    return {}
