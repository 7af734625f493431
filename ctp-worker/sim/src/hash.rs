//! Seeded noise: pure functions of a key, so that two processes with one seed see one market.
//!
//! The mixing step is the finaliser of SplitMix64.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scrambles 64 bits.
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The `n`-th value of the stream named by `key`.
pub(crate) const fn nth(key: u64, n: u64) -> u64 {
    mix(key ^ mix(n))
}

/// A stream's key from a seed and some bytes (an instrument id, for instance).
pub(crate) fn key_of(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(mix(seed), |key, &byte| mix(key ^ u64::from(byte)))
}

/// A number in `[0, 1)`.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A number in `[-1, 1)`.
pub(crate) fn signed(bits: u64) -> f64 {
    unit(bits).mul_add(2.0, -1.0)
}

/// Smooth noise over whole numbers, in `(-1, 1)`: lattice points every `spacing`, eased between.
pub(crate) fn smooth(key: u64, at: i64, spacing: i64) -> f64 {
    let cell = at.div_euclid(spacing);
    let fraction = at.rem_euclid(spacing) as f64 / spacing as f64;
    let eased = fraction * fraction * (3.0 - 2.0 * fraction);
    let (left, right) = (signed(nth(key, cell as u64)), signed(nth(key, (cell + 1) as u64)));
    left + (right - left) * eased
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_range_and_is_repeatable() {
        for n in 0..10_000 {
            let value = signed(nth(7, n));
            assert!((-1.0..1.0).contains(&value));
            assert_eq!(value.to_bits(), signed(nth(7, n)).to_bits());
        }
        let mean = (0..10_000).map(|n| unit(nth(3, n))).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn different_ids_and_seeds_have_different_streams() {
        assert_ne!(key_of(1, b"rb2505"), key_of(1, b"rb2510"));
        assert_ne!(key_of(1, b"rb2505"), key_of(2, b"rb2505"));
        assert_ne!(key_of(1, b"ab"), key_of(1, b"ba"));
    }

    #[test]
    fn smooth_noise_meets_its_lattice() {
        for cell in -5i64..5 {
            let at_lattice = smooth(9, cell * 20, 20);
            assert_eq!(at_lattice.to_bits(), signed(nth(9, cell as u64)).to_bits());
        }
    }
}
