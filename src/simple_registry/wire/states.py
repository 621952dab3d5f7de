"""The states of a connection, as a table of transitions. An event that a state does not list is a bug.

    IDLE ─► HEAD ─► BODY ─┬─► COMPLETE ─► IDLE …     a request and its answer; then the next one
                          ├─► BROKEN ───► LINGER     the body broke off: the handler gets an error; last answer
                          └─────────────► LINGER     answered before the body was read: its rest is dropped
             HEAD ────────────► REFUSED ► LINGER     the head was refused: last answer

A connection handles one request at a time. The bytes of later requests wait until the answer has been sent.
"""

from collections.abc import Mapping
from enum import Enum, auto


class State(Enum):
    """The state of a connection."""

    __hash__ = object.__hash__  # Enum.__hash__ is Python code, and every request does several lookups

    IDLE = auto()
    """No byte of a request has arrived."""
    HEAD = auto()
    """Part of a head has arrived."""
    BODY = auto()
    """A request is being handled while its body arrives."""
    COMPLETE = auto()
    """A whole request has arrived and is being handled."""
    HALF_CLOSED = auto()
    """As COMPLETE; the client has closed its sending side, but may still read."""
    BROKEN = auto()
    """A request is being handled, but the rest of its body will not arrive."""
    REFUSED = auto()
    """The answer to a refused head is being sent."""
    LINGER = auto()
    """The last answer has been sent. Input is dropped until the client has read the answer and closes."""
    CLOSED = auto()
    """The socket is closed."""


class Event(Enum):
    """An event on a connection."""

    __hash__ = object.__hash__

    BYTES = auto()
    """The first bytes of a request arrived."""
    HEAD_WITH_BODY = auto()
    """A head is complete; a body follows."""
    HEAD_WITHOUT_BODY = auto()
    """A head is complete; the request has no body."""
    BODY_ENDED = auto()
    """The last byte of the body arrived."""
    MALFORMED = auto()
    """The input violates HTTP."""
    END = auto()
    """The client closed its sending side."""
    ANSWERED = auto()
    """The answer has been sent; another request may follow."""
    ANSWERED_LAST = auto()
    """The answer has been sent; it was the last one."""
    TIME_OUT = auto()
    """A deadline has passed."""
    LOST = auto()
    """Nothing more can be sent: the connection was reset, or its handler failed."""


_S, _E = State, Event

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    _S.IDLE: {
        _E.BYTES: _S.HEAD,
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.CLOSED,
        _E.LOST: _S.CLOSED,
        _E.MALFORMED: _S.REFUSED,  # refused by the server: a plain request on a TLS port
    },
    _S.HEAD: {
        _E.HEAD_WITH_BODY: _S.BODY,
        _E.HEAD_WITHOUT_BODY: _S.COMPLETE,
        _E.MALFORMED: _S.REFUSED,
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.REFUSED,
        _E.LOST: _S.CLOSED,
    },
    _S.BODY: {
        _E.BODY_ENDED: _S.COMPLETE,
        _E.MALFORMED: _S.BROKEN,
        _E.END: _S.BROKEN,
        _E.TIME_OUT: _S.BROKEN,
        _E.ANSWERED_LAST: _S.LINGER,
        _E.LOST: _S.CLOSED,
    },
    _S.COMPLETE: {
        _E.END: _S.HALF_CLOSED,
        _E.ANSWERED: _S.IDLE,
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,  # the client does not read its answer
        _E.LOST: _S.CLOSED,
    },
    _S.HALF_CLOSED: {
        _E.ANSWERED: _S.IDLE,  # pipelined requests may still wait
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.LOST: _S.CLOSED,
    },
    _S.BROKEN: {
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.LOST: _S.CLOSED,
    },
    _S.REFUSED: {
        _E.ANSWERED_LAST: _S.LINGER,
        _E.TIME_OUT: _S.CLOSED,
        _E.LOST: _S.CLOSED,
    },
    _S.LINGER: {
        _E.END: _S.CLOSED,
        _E.TIME_OUT: _S.CLOSED,
        _E.LOST: _S.CLOSED,
    },
    _S.CLOSED: {},
}
