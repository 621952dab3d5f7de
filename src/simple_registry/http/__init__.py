"""The HTTP face: messages in, one operation, messages out. `dispatch` is the only place that knows the order."""
