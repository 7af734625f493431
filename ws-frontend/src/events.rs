//! What clients are told of the fleet (pure).
