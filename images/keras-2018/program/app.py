"""`/ping` and `/invocations` as a WSGI application, for Python 3.5."""

import json
from collections.abc import Callable

import cv2
import keras
import numpy as np
import tensorflow as tf

MODEL = keras.models.load_model("/opt/ml/model/model.h5")
# the threads of a server share the graph that the model was loaded into
GRAPH = tf.get_default_graph()


def application(environ: dict, start_response: Callable) -> list:
    """Answer a request."""
    status, answer = "404 Not Found", {"error": "only /ping and /invocations are here"}
    if environ["PATH_INFO"] == "/ping":
        status, answer = "200 OK", {}
    elif environ["PATH_INFO"] == "/invocations":
        status, answer = predict(environ["wsgi.input"].read())
    body = json.dumps(answer).encode()
    start_response(
        status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


def predict(body: bytes) -> tuple:
    """Return a status, and the digits of rows of 64 pixels."""
    try:
        lines = body.decode().split()
        rows = np.array([line.split(",") for line in lines], dtype=np.float32).reshape(-1, 8, 8)
    except ValueError as error:
        return "400 Bad Request", {"error": str(error)}
    images = np.array([cv2.resize(row, (16, 16)) for row in rows]).reshape(-1, 16, 16, 1) / 16
    with GRAPH.as_default():
        return "200 OK", MODEL.predict(images).argmax(axis=1).tolist()
