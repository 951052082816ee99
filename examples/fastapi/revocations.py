"""Follows what was revoked of this API's tokens."""
import logging
import os
import threading
import time

import requests

PATIENCE = 15  # seconds for which silence is taken for good news


class NotKnown(Exception):
    """It is not known what was revoked."""


class Revocations:
    def __init__(self, issuer):
        self.url = issuer + "/oauth/revocations"
        self.session = requests.Session()
        self.session.auth = ("books", os.environ["BOOKS_SECRET"])
        self.entries, self.heard = [], float("-inf")
        self.ask()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            time.sleep(1)
            self.ask()

    def ask(self):
        asked = time.monotonic()
        try:
            answer = self.session.get(self.url, timeout=5, allow_redirects=False)
            if answer.status_code == 200:
                self.entries = answer.json()["entries"]
                self.session.headers["If-None-Match"] = answer.headers["ETag"]
            elif answer.status_code != 304:
                raise NotKnown(f"revocations: {answer.status_code}")
            self.heard = asked
        except Exception:
            logging.exception("what was revoked cannot be read")

    def hold(self, claims):
        if time.monotonic() - self.heard > PATIENCE:
            raise NotKnown()
        granted = int(claims["sc_grant"].replace("-", "")[:12], 16)  # milliseconds, in front of a UUIDv7
        return any(
            entry.get("grant") == claims["sc_grant"] or entry.get("epoch") == claims["sc_epoch"]
            or entry.get("user") == claims["sub"] and granted <= entry["before"]
            for entry in self.entries)
