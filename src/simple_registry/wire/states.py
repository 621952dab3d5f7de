"""The life of a connection as a table: in each state, what each event leads to. What is not in the table is a defect.

    IDLE ─► HEAD ─► BODY ──► WHOLE ─► IDLE …       a request and its answer; then the next one
                      │  └─► BROKEN ─► LINGER      a body that broke off: its handler learns it, then the end
                      └──────────────► LINGER      answered before its body was read: what still comes is dropped
             HEAD ─────────► REFUSED ► LINGER      a head that is refused: one answer, then the end

One request is handled at a time. The bytes of later ones wait, unread, until its answer has left.
"""

from collections.abc import Mapping
from enum import Enum, auto


class State(Enum):
    """What a connection is doing."""

    __hash__ = object.__hash__  # that of Enum is written in Python, and each request looks several up

    IDLE = auto()
    """Nothing of a request has arrived."""
    HEAD = auto()
    """Part of a head has arrived."""
    BODY = auto()
    """A request is being handled while its body arrives."""
    WHOLE = auto()
    """A request has arrived whole and is being handled."""
    HALF_CLOSED = auto()
    """The same, and the client will send nothing more, but it may still read."""
    BROKEN = auto()
    """A request is being handled whose body will never be whole."""
    REFUSED = auto()
    """The answer to a head that was refused is being sent."""
    LINGER = auto()
    """The last answer has been sent; what still arrives is dropped until the client closes, so that it can read it."""
    CLOSED = auto()
    """The socket is closed."""


class Event(Enum):
    """What happens to a connection."""

    __hash__ = object.__hash__

    BYTES = auto()
    """The first bytes of a request arrived."""
    HEAD_WITH_BODY = auto()
    """A head is complete, and a body follows it."""
    HEAD_ALONE = auto()
    """A head is complete, and the request with it."""
    BODY_ENDED = auto()
    """The last byte of the body arrived."""
    MALFORMED = auto()
    """What arrived breaks the rules of HTTP, or comes too slowly."""
    END = auto()
    """The client closed its sending side."""
    ANSWERED = auto()
    """The answer has left, and another request may follow."""
    ANSWERED_LAST = auto()
    """The answer has left, and it was the last one."""
    TIME_OUT = auto()
    """Nothing more is waited for."""
    GONE = auto()
    """The connection was reset, or its handler failed: nothing can be sent."""


_S, _E = State, Event

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    _S.IDLE: {
        _E.BYTES: _S.HEAD,
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.CLOSED,
        _E.GONE: _S.CLOSED,
        _E.MALFORMED: _S.REFUSED,  # the server refuses connections: it is full, or the port speaks TLS
    },
    _S.HEAD: {
        _E.HEAD_WITH_BODY: _S.BODY,
        _E.HEAD_ALONE: _S.WHOLE,
        _E.MALFORMED: _S.REFUSED,
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.REFUSED,
        _E.GONE: _S.CLOSED,
    },
    _S.BODY: {
        _E.BODY_ENDED: _S.WHOLE,
        _E.MALFORMED: _S.BROKEN,
        _E.END: _S.BROKEN,
        _E.TIME_OUT: _S.BROKEN,
        _E.ANSWERED_LAST: _S.LINGER,
        _E.GONE: _S.CLOSED,
    },
    _S.WHOLE: {
        _E.END: _S.HALF_CLOSED,
        _E.ANSWERED: _S.IDLE,
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,  # the client does not take its answer
        _E.GONE: _S.CLOSED,
    },
    _S.HALF_CLOSED: {
        _E.ANSWERED: _S.IDLE,  # requests that were sent before the end may still wait
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.GONE: _S.CLOSED,
    },
    _S.BROKEN: {
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.GONE: _S.CLOSED,
    },
    _S.REFUSED: {
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.GONE: _S.CLOSED,
    },
    _S.LINGER: {
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.CLOSED,
        _E.GONE: _S.CLOSED,
    },
    _S.CLOSED: {},
}

HANDLED = frozenset({_S.BODY, _S.WHOLE, _S.HALF_CLOSED, _S.BROKEN})
"""States in which a request is being handled."""
