from __future__ import annotations

import pytest

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.framing import split_records
from twinforge.sagemaker.local.jsonpath import parse_path
from twinforge.sagemaker.local.processing import Processing

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"


def processing(before: str = "$", join: str = "None", after: str = "$") -> Processing:
    return Processing(parse_path(before), join, parse_path(after))


def sent(processed: Processing, content: bytes, kind: str, split: str = "Line") -> list[bytes]:
    return [one.data for one in processed.sent(split_records(content, split), kind)[0]]


def test_without_filters_everything_is_sent_as_it_is() -> None:
    content = b"7,'a'\n\n\xff\n"
    assert b"".join(sent(processing(), content, CSV)) == content
    assert not processing().reads_answers


def test_columns_are_left_out_and_quotes_are_kept() -> None:
    content = b'7,1.50,"a, b"\n8,2.0,c'
    assert sent(processing("$[1:]"), content, CSV) == [b'1.50,"a, b"\n', b"2.0,c"]
    assert sent(processing("$[0]"), content, "text/csv; charset=utf-8") == [b"7\n", b"8"]


def test_attributes_are_left_out() -> None:
    content = b'{"id": 1, "x": [1, 2]}\n\n{"id": 2, "x": [3, 4]}\n'
    assert sent(processing("$.x"), content, JSON_LINES) == [b"[1,2]\n", b"[3,4]\n"]
    assert sent(processing("$.x"), b'{"x": "\xc3\xa4"}', JSON, "None") == [b'"\xc3\xa4"']


def test_rows_are_joined_and_filtered() -> None:
    joined = processing("$[1:]", "Input")
    answers = [(b"A\nB\n", 2), (b"C", 1)]
    rows = [b"1,a\n", b"2,b\n", b"3,c"]
    assert joined.written(rows, answers, CSV) == [b"1,a,A", b"2,b,B", b"3,c,C"]
    only = processing("$[1:]", "Input", "$[0,-1]")
    assert only.written(rows, answers, CSV) == [b"1,A", b"2,B", b"3,C"]
    unjoined = processing(after="$[1]")
    assert unjoined.written([], [(b"a,b\nc,d\n", 2)], CSV) == [b"b", b"d"]


def test_objects_get_the_answer_as_an_attribute_and_other_values_become_objects() -> None:
    joined = processing(join="Input")
    records = [b'{"id": 1}\n', b"[1, 2]\n"]
    assert joined.written(records, [(b'{"label": 1}\n7\n', 2)], JSON_LINES) == [
        b'{"id":1,"SageMakerOutput":{"label":1}}',
        b'{"SageMakerInput":[1,2],"SageMakerOutput":7}',
    ]
    only = processing(join="Input", after="$['id','SageMakerOutput']")
    record = b'{"id": 1, "x": 2, "SageMakerOutput": 0}'
    assert only.written([record], [(b"[\n1]", 1)], JSON) == [b'{"id":1,"SageMakerOutput":[1]}']


def test_an_answer_must_have_a_line_for_each_record() -> None:
    with pytest.raises(
        TwinforgeError, match="answered 2 records with 1 lines of text/csv"
    ) as error:
        processing(join="Input").written([b"1\n", b"2\n"], [(b"1,2", 2)], CSV)
    assert "SingleRecord" in error.value.hint


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"1,2\n3", CSV, "finds no index 1 in 1 elements"),
        (b"1,2\n{", JSON_LINES, "record 1 is not application/jsonlines"),
        (b'1,"2', CSV, "record 1 is not text/csv"),
        (b"1,\xff", CSV, "record 1 is not text/csv"),
    ],
)
def test_a_record_that_is_none_is_refused(content: bytes, kind: str, said: str) -> None:
    with pytest.raises(TwinforgeError, match=said):
        processing("$[1]").sent(split_records(content, "Line"), kind)


@pytest.mark.parametrize(
    ("processed", "how", "said", "hint"),
    [
        (processing("$[1]"), ("image/png", "", "None", "None"), "not on 'image/png'", ""),
        (processing("$[1]"), (CSV, "", "None", "None"), "lines of text/csv", "--split Line"),
        (
            *(processing(join="Input"), (CSV, JSON, "Line", "Line")),
            *("answers must be what the records are", "--accept text/csv"),
        ),
        (
            *(processing(after="$[1]"), (CSV, CSV, "Line", "None")),
            *("put together by it", "--assemble Line"),
        ),
        (
            *(processing(after="$[1]"), (JSON, JSON, "RecordIO", "None")),
            *("put together by it", ""),
        ),
    ],
)
def test_what_the_service_does_not_process_is_refused(
    processed: Processing, how: tuple[str, str, str, str], said: str, hint: str
) -> None:
    kind, accept, split, assembly = how
    with pytest.raises(UsageError, match=said) as error:
        processed.check(content_type=kind, accept=accept, split=split, assembly=assembly)
    assert hint in error.value.hint


def test_what_needs_no_reading_of_answers_asks_nothing_of_them() -> None:
    processing("$.x").check(content_type=JSON, accept="", split="None", assembly="None")
    processing().check(content_type="image/png", accept="", split="RecordIO", assembly="Line")
