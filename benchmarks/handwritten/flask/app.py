"""The usual way to serve a model: Flask under gunicorn."""

from __future__ import annotations

import csv
import io

import rows  # type: ignore[import-not-found]  # is beside this file in the image
from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/ping")
def ping() -> Response:
    """Say that the server is there."""
    return Response(status=200)


@app.post("/invocations")
def invocations() -> tuple[Response, int]:
    """Answer one request."""
    if request.mimetype == "text/csv":
        text = request.get_data(as_text=True)
        table = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
        return jsonify(rows.predict(table)), 200
    if request.mimetype == "application/octet-stream":
        return jsonify(rows.predict(request.get_data())), 200
    return jsonify(error=f"{request.mimetype} is not supported"), 415
