//! The maps of the hot path: the standard ones with a fast hash, seeded at random.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A hash map.
pub(crate) type Map<K, V> = HashMap<K, V, RandomState>;

/// A hash set.
pub(crate) type Set<K> = HashSet<K, RandomState>;
