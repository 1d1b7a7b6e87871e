"""How gunicorn serves the model; it reads these names.

Source: https://docs.gunicorn.org/en/stable/settings.html
"""

import os
from pathlib import Path

bind = f"0.0.0.0:{os.environ.get('SAGEMAKER_BIND_TO_PORT', '8080')}"
chdir = str(Path(__file__).parent)
workers = len(os.sched_getaffinity(0))
worker_class = "gthread"
threads = 4  # a worker that predicts still answers /ping, which must not take 2 s
timeout = 60  # SageMaker gives a request 60 s
graceful_timeout = 20  # and SIGKILL comes 30 s after SIGTERM
worker_tmp_dir = "/dev/shm"  # the root file system may be read-only  # noqa: S108
control_socket_disable = True
accesslog = None


def post_fork(_server: object, _worker: object) -> None:
    """Load the model before the worker takes its first request; without a model, end the server.

    After the fork, because a CUDA context does not survive one.
    """
    from classifier.app import load_model  # noqa: PLC0415 - it can be found only after chdir

    load_model()
