"""What a batch transform does with a record besides sending it: filters and joins. Pure.

Source: SageMaker API reference, ``DataProcessing``, and developer guide, "Associate Prediction Results
with Input Records".
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.framing import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.sagemaker.local.jsonpath import JsonPath

__all__ = ["JOINS", "Processing"]

JOINS = ("None", "Input")
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
KINDS = (CSV, JSON, JSON_LINES)
_INPUT, _OUTPUT = "SageMakerInput", "SageMakerOutput"


@dataclass(frozen=True, slots=True)
class Processing:
    """Filters and a join; as a rule they do nothing.

    Attributes:
        input_filter: What of a record is sent.
        join: ``Input`` where the answer is put behind its record, else ``None``.
        output_filter: What of the answer, joined or not, is written.
    """

    input_filter: JsonPath
    join: str
    output_filter: JsonPath

    @property
    def reads_answers(self) -> bool:
        """Whether answers are taken apart, and not written as they are."""
        return self.join != "None" or not self.output_filter.is_everything

    def check(self, *, content_type: str, accept: str, split: str, assembly: str) -> None:
        """Refuse what the service can't process.

        Raises:
            UsageError: Filters need another content type, or the output another form.
        """
        if self.input_filter.is_everything and not self.reads_answers:
            return
        kind = _main(content_type)
        if kind not in KINDS:
            message = f"filters and joins work on {', '.join(KINDS)}, not on '{content_type}'"
            raise UsageError(message)
        if kind != JSON and split != "Line":
            message = f"filters and joins work on the lines of {kind}"
            raise UsageError(message, hint="add --split Line")
        if not self.reads_answers:
            return
        if _main(accept) != kind:
            message = f"the answers must be what the records are, {kind}"
            raise UsageError(message, hint=f"add --accept {kind}")
        if split not in {"Line", "None"} or split != assembly:
            message = f"what is cut by '{split}' must be put together by it"
            raise UsageError(message, hint=f"add --assemble {split}")

    def sent(
        self, records: Sequence[Record], content_type: str
    ) -> tuple[list[Record], list[bytes]]:
        """Return what is sent, and the records that it came from; an empty line is none.

        Raises:
            TwinforgeError: A record is not what its content type says, or the filter finds nothing.
        """
        if self.input_filter.is_everything and not self.reads_answers:
            return list(records), []
        kind = _main(content_type)
        whole = [record for record in records if record.data.strip()]
        if self.input_filter.is_everything:
            return whole, [record.data for record in whole]
        filtered = []
        for number, record in enumerate(whole, 1):
            value = _read(kind, record.data, f"record {number}")
            data = _write(kind, self.input_filter.select(value))
            if record.data.endswith(b"\n"):
                data += b"\n"
            filtered.append(Record(data, data))
        return filtered, [record.data for record in whole]

    def written(
        self, records: Sequence[bytes], answers: Sequence[tuple[bytes, int]], content_type: str
    ) -> list[bytes]:
        """Return what is written for each record, without line ends.

        Args:
            records: As they were in the file.
            answers: In order, each with the number of records that it answers.
            content_type: Of both.

        Raises:
            TwinforgeError: An answer is not what it should be, or not one for each record.
        """
        kind = _main(content_type)
        results: list[Any] = []
        for body, count in answers:
            results += _results(kind, body, count)
        values = results
        if self.join != "None":
            read = (_read(kind, one, f"record {n}") for n, one in enumerate(records, 1))
            values = [_joined(kind, one, result) for one, result in zip(read, results, strict=True)]
        return [_write(kind, self.output_filter.select(value)) for value in values]


def _main(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _results(kind: str, body: bytes, count: int) -> Iterator[Any]:
    """Take an answer apart."""
    if kind == JSON and count == 1:
        yield _read(kind, body, "the answer")
        return
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) != count:
        message = f"the container answered {count} records with {len(lines)} lines of {kind}"
        raise TwinforgeError(message, hint="--strategy SingleRecord sends one record at a time")
    for line in lines:
        yield _read(kind, line, "an answer")


def _joined(kind: str, record: Any, result: Any) -> Any:
    if kind == CSV:
        return [*record, *result]
    if isinstance(record, dict):
        return {**record, _OUTPUT: result}
    return {_INPUT: record, _OUTPUT: result}


def _read(kind: str, data: bytes, what: str) -> Any:
    try:
        text = data.decode()
        if kind != CSV:
            return json.loads(text)
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (ValueError, RecursionError, csv.Error) as error:
        message = f"{what} is not {kind}: {error}"
        raise TwinforgeError(message) from error
    if len(rows) != 1:
        message = f"{what} is {len(rows)} rows of {kind}, not one"
        raise TwinforgeError(message)
    return rows[0]


def _write(kind: str, value: Any) -> bytes:
    if kind != CSV:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return buffer.getvalue().encode()
