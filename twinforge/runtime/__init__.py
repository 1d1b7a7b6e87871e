"""What goes into an image when its user writes only a predictor or a trainer: ``serve``, ``train``.

Imports nothing of the rest of Twinforge, only the standard library and the web server; runs on
Python 3.10 and later. What a predictor or a trainer may want the names of is here.

>>> from twinforge.runtime import Answer, Context, InvalidInput, Job
"""

from twinforge.runtime.interface import Answer, Context, InvalidInput, UnsupportedInput
from twinforge.runtime.job import Channel, Job, JobError, Resources

__all__ = [
    "Answer",
    "Channel",
    "Context",
    "InvalidInput",
    "Job",
    "JobError",
    "Resources",
    "UnsupportedInput",
]
