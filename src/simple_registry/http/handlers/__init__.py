"""One handler per endpoint: it translates an authorised call into one operation, and its result into a response."""
