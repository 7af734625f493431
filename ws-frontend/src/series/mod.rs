//! What was seen of every instrument since this process started: ticks, and bars of any duration (pure).
