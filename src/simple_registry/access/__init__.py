"""Who a caller is and what they may do, as pure values and rules; nothing here does I/O."""
