"""IPython's formatter of tracebacks, without what it keeps alive, and without doing the same thing again.

The text is IPython's. Of a recursion IPython looks at each of the thousand frames anew, and that takes
500 ms: which module it is from (three times it goes through all modules), its source, its colours. Here it
is asked once for each function, and for the text once for each line: 10 ms.
"""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeAlias

import IPython
from IPython.core.ultratb import AutoFormattedTB, SyntaxTB
from IPython.utils.PyColorize import theme_table

from .changed_files import words_on_changed_files
from .needed_modules import needed_modules
from .source_colours import keep_lexer

#: IPython's description of a frame, `FrameInfo`; here it also has `texts`.
Record: TypeAlias = Any
#: By line, and id of what is executed in it.
Texts: TypeAlias = dict[tuple[int, int], str]

#: A traceback with fewer frames is left to IPython.
_MANY = 20
#: From this version on IPython describes the frames of files that are not there one by one, as cells' are.
_ONE_BY_ONE = (9, 15)


#: Says what to do about an error, in one line, if that is certain.
Advise: TypeAlias = Callable[[BaseException], str | None]


def _no_advice(error: BaseException) -> None:
    """For formatters that libraries make of ours."""


class AdvisingSyntaxTB(SyntaxTB):
    """IPython's formatter of errors of syntax, with a line that says what to do."""

    def __init__(self, advise: Advise = _no_advice, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._advise = advise

    def structured_traceback(
        self, etype: Any, evalue: BaseException | None, *args: Any, **options: Any
    ) -> list[str]:
        """Overridden for that line."""
        lines = super().structured_traceback(etype, evalue, *args, **options)
        advice = None if evalue is None else self._advise(evalue)
        return [*(line.rstrip("\n") for line in lines), advice] if advice else lines


class LettingGoTB(AutoFormattedTB):
    """IPython's formatter; what was formatted does not keep the frames alive.

    A frame's description and its lines refer to each other. Without this the frames, and through them all
    of the callers' variables, would live until the garbage collector comes by.
    """

    #: What colours source, and for which colours it was made.
    _last_formatter: tuple[object, object] = (None, None)

    def __init__(self, advise: Advise = _no_advice, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._advise = advise

    def structured_traceback(
        self,
        etype: Any,
        evalue: BaseException | None = None,
        etb: TracebackType | None = None,
        tb_offset: int | None = None,
        context: int = 5,
    ) -> list[str]:
        """Overridden: it is told of files whose lines may be wrong, and what to do about the error.

        Where IPython cannot make it, it is Python's, not that of its failure: `sys.path` may be `None`, there
        is no room for many frames, or a thread holds a lock that an import waits for.
        """
        try:
            if not needed_modules.wait():
                raise ImportError("a lock is held")
            lines = super().structured_traceback(etype, evalue, etb, tb_offset, context)
        except Exception:
            for _ in range(self.tb_offset if tb_offset is None else tb_offset):
                etb = None if etb is None else etb.tb_next
            lines = "".join(traceback.format_exception(etype, evalue, etb)).splitlines()
        if evalue is None:
            return lines
        advice = self._advise(evalue)
        return [*lines, *words_on_changed_files(evalue), *([advice] if advice else ())]

    def get_records(self, etb: TracebackType, context: int, tb_offset: int) -> list[Record]:
        """Overridden: what frames of the same code have in common is found out once.

        Nor is there a new formatter of source for each traceback (1.5 ms, and a cell's lines do without).
        """
        plain = copy.copy(self)
        plain._theme_name = "nocolor"
        records = plain._records(etb, context, tb_offset)
        if self.has_colors:
            for record in records:
                if hasattr(record._sd, "options"):
                    record._sd.options.pygments_formatter = self._formatter(record.frame)
        return records

    def format_record(self, frame_info: Record) -> str:
        """Overridden to let go of what was computed for it, and not to do again what was just done."""
        texts: Texts | None = getattr(frame_info, "texts", None)
        if texts is None or self.include_vars or not _has_arguments(frame_info.frame):
            return self._text(frame_info)
        place = frame_info.lineno, id(getattr(frame_info.executing, "node", None))
        if place not in texts:
            texts[place] = self._text(frame_info)
        return texts[place]

    def _text(self, frame_info: Record) -> str:
        try:
            return str(super().format_record(frame_info))
        finally:
            if frame_info._sd is not None:
                vars(frame_info._sd).pop("lines", None)

    def _format_list(self, extracted_list: list[Iterable[object]]) -> list[str]:
        """Overridden for `%xmode Plain`: equal lines are formatted once. The last one is emphasised."""
        if len(extracted_list) < _MANY:
            return super()._format_list(extracted_list)
        entries = [tuple(entry) for entry in extracted_list]
        different = list(dict.fromkeys(entries[:-1]))
        *texts, last = super()._format_list([*different, entries[-1]])
        text_of = dict(zip(different, texts, strict=True))
        return [*(text_of[entry] for entry in entries[:-1]), last]

    def _records(self, etb: TracebackType, context: int, tb_offset: int) -> list[Record]:
        traces = list(_each(etb))
        if len(traces) < _MANY or IPython.version_info[:2] < _ONE_BY_ONE:
            return list(super().get_records(etb, context, tb_offset))
        known: dict[int, Record] = {}  # by code, which the frames keep
        for trace in traces:
            frame = trace.tb_frame
            if id(frame.f_code) not in known:
                alone = TracebackType(None, frame, trace.tb_lasti, trace.tb_lineno)
                known[id(frame.f_code)] = next(iter(super().get_records(alone, context, 0)), None)
        return _records_of(traces, known)

    def _formatter(self, frame: FrameType) -> object:
        """The formatter of source that IPython makes for `frame`, or for any other with these colours."""
        theme = theme_table[self._theme_name]
        colours = (theme.as_pygments_style(), repr(theme.extra_style), self.tb_highlight)
        made_for, formatter = self._last_formatter
        if made_for != colours:
            alone = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
            (record,) = super().get_records(alone, 5, 0)
            formatter = record._sd.options.pygments_formatter
            keep_lexer()
            self._last_formatter = (colours, formatter)
        return formatter


def _each(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _records_of(traces: list[TracebackType], known: dict[int, Record]) -> list[Record]:
    """What IPython's `get_records` makes of `traces`.

    `known` has what it makes of one of them for each code: nothing (IPython's own frame), a description
    without a source that could be analysed (`_sd` is `None`), or one with it. Neighbours of the last kind
    are described together, so that what repeats is left out; that goes on to the traceback's end, as it
    does in IPython.
    """
    shown = [(trace, known[id(trace.tb_frame.f_code)]) for trace in traces]
    shown = [(trace, record) for trace, record in shown if record is not None]
    records: list[Record] = []
    at = 0
    while at < len(shown):
        trace, record = shown[at]
        if record._sd is None:
            records.append(_same_for(trace.tb_frame, record))
            at += 1
            continue
        start = at
        while at < len(shown) and shown[at][1]._sd is not None:
            at += 1
        frames = {trace.tb_frame for trace, _ in shown[start:at]}
        analysed = type(record._sd)
        for found in analysed.stack_data(trace, options=record._sd.options):
            if not isinstance(found, analysed) or found.frame in frames:
                records.append(record._from_stack_data_FrameInfo(found))
                if isinstance(found, analysed):
                    records[-1].texts = _texts_of(known[id(found.code)])
    return records


def _same_for(frame: FrameType, record: Record) -> Record:
    """`record` for another frame of the same code."""
    same = object.__new__(type(record))
    vars(same).update(vars(record), frame=frame, lineno=frame.f_lineno, texts=_texts_of(record))
    return same


def _texts_of(record: Any) -> Texts:
    """The texts of places in the code of `record`, which all of its frames share."""
    texts: Texts = vars(record).setdefault("texts", {})
    return texts


def _has_arguments(frame: FrameType) -> bool:
    """Whether all arguments still have a value; IPython says so if not."""
    code = frame.f_code
    more = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    values = frame.f_locals
    return all(
        name in values for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]
    )
