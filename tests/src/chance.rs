//! The one source of chance in a test: its seed, printed when the test fails, tells what happens.

use std::io::Write;

/// The generator splitmix64. When a test that holds one panics, it prints the seed.
#[derive(Debug)]
pub struct Chance {
    variable: &'static str,
    seed: u64,
    state: u64,
}

// === impl Chance ===

impl Chance {
    /// The seed that this environment variable names, or else this one.
    ///
    /// # Panics
    /// When the variable holds no number.
    #[must_use]
    pub fn from_variable(variable: &'static str, otherwise: u64) -> Self {
        let seed = number_from(variable, otherwise);
        Self { variable, seed, state: seed.wrapping_mul(0xd134_2543_de82_ef95) }
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % (limit.max(1) as u64)).unwrap_or_default()
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// One of several; `None` of none.
    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).cloned()
    }

    /// How to have the same chance again.
    #[must_use]
    pub fn again(&self) -> String {
        format!("{}={}", self.variable, self.seed)
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody is left to tell when this fails.
            drop(writeln!(std::io::stderr(), "--- the same again: {}", self.again()));
        }
    }
}

/// The number that an environment variable holds, or else this one.
///
/// # Panics
/// When it holds something else.
#[must_use]
pub fn number_from(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => otherwise,
    }
}
