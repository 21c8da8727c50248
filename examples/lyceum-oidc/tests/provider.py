"""A provider in a process of its own: oidc-provider-mock, which signs by keys of ours and can be told to lie.

    python provider.py

It prints its port. `PUT /test/lie` says in JSON what is false in the tokens from then on, `POST /test/rotate` gives it
a new key, `GET /test/asked` says how often each of its pages was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import flask
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

ID: Final = "lyceum"
SECRET: Final = "a secret of the test's"  # of nobody else


class Keys:
    """What the provider signs by; only the newest is published."""

    def __init__(self) -> None:
        self.number = 0
        self.rotate()

    def rotate(self) -> None:
        self.number += 1
        self.newest = RSAKey.generate_key(2048, parameters={"kid": str(self.number)})


def make() -> flask.Flask:
    """Return the provider."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what authlib has deprecated
        from oidc_provider_mock import app  # type: ignore[import-untyped]
    found: flask.Flask = app(require_nonce=True)
    Testing().install(found)
    return found


class Testing:
    """What a test needs of a provider: PKCE and the client's secret checked, keys that change, and lies."""

    def __init__(self) -> None:
        self.keys = Keys()
        self.lies: dict[str, Any] = {}
        self.asked = Counter[str]()
        self.challenges: dict[str, str] = {}  #: of PKCE, by code

    def install(self, app: flask.Flask) -> None:
        app.before_request(self.check)
        app.after_request(self.change)
        app.add_url_rule("/test/lie", view_func=self.lie, methods=["PUT"])
        app.add_url_rule("/test/rotate", view_func=self.rotate, methods=["POST"])
        app.add_url_rule("/test/asked", view_func=self.tell)

    def check(self) -> Any:
        """Refuse a code without the client's secret and the verifier."""
        self.asked[flask.request.path] += 1
        if flask.request.path != "/oauth2/token":
            return None
        form, basic = flask.request.form, flask.request.authorization
        known = basic is not None and (basic.username, basic.password) == (ID, quote(SECRET, safe=""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if known and self.challenges.pop(form.get("code", ""), "") == text_of(digest):
            return None
        return flask.jsonify({"error": "invalid_grant"}), 400

    def change(self, answer: flask.Response) -> flask.Response:
        """Sign by keys of ours, and note which code has which challenge."""
        path, asked = flask.request.path, flask.request.args
        if path == "/jwks":
            answer.set_data(json.dumps({"keys": [*self.lies.get("keys", ()), self.keys.newest.as_dict(private=False)]}))
        if path == "/oauth2/authorize" and asked.get("code_challenge_method") == "S256":
            query = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
            self.challenges[query.get("code", [""])[0]] = asked["code_challenge"]
        if path == "/oauth2/token" and answer.status_code == 200:
            body = json.loads(answer.get_data())
            body["id_token"] = signed(claims_of(body["id_token"]), self.keys, self.lies)
            answer.set_data(json.dumps(body))
        return answer

    def lie(self) -> Any:
        self.lies = flask.request.get_json()
        return "", 204

    def rotate(self) -> Any:
        self.keys.rotate()
        return "", 204

    def tell(self) -> Any:
        return flask.jsonify(dict(self.asked))


def text_of(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def signed(claims: dict[str, Any], keys: Keys, lies: dict[str, Any]) -> str:
    """Return *claims*, changed by *lies*, signed as those say."""
    claims = {**claims, **lies.get("claims", {})}
    for name in lies.get("without", ()):
        claims.pop(name, None)
    header = {"alg": "RS256", "kid": str(keys.number), **lies.get("header", {})}
    if lies.get("forged"):
        return jwt.encode(header, claims, RSAKey.generate_key(2048))
    if header["alg"] in ("HS256", "none"):
        signing = ".".join(text_of(json.dumps(part).encode()) for part in (header, claims))
        known = keys.newest.as_pem(private=False)  # what everybody has, as if it were a secret
        signature = hmac.digest(known, signing.encode(), "sha256") if header["alg"] == "HS256" else b""
        return f"{signing}.{text_of(signature)}"
    return jwt.encode(header, claims, keys.newest)


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it is on this machine
    server = make_server("127.0.0.1", 0, make(), threaded=True)
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()
