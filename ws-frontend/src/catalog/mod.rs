//! What is known of instruments apart from their ticks, and the queries about it (pure).
