//! JSON's smallest parts, written as fast as may be.

use shm_layout::price_of;

/// Text that stands in JSON as it is.
pub(crate) fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A finite number, in the fewest digits that read back to it; always with a point or an exponent.
pub(crate) fn push_finite(out: &mut Vec<u8>, number: f64) {
    push(out, zmij::Buffer::new().format_finite(number));
}

/// A raw price: null where it has no value.
pub(crate) fn push_price_or_null(out: &mut Vec<u8>, raw: f64) {
    match price_of(raw) {
        Some(price) => push_finite(out, price),
        None => push(out, "null"),
    }
}

/// A whole number.
pub(crate) fn push_int(out: &mut Vec<u8>, number: impl itoa::Integer) {
    push(out, itoa::Buffer::new().format(number));
}

/// A count of lots, which exchanges send as a number with decimals: without a point as far as it is whole.
pub(crate) fn push_lots(out: &mut Vec<u8>, lots: f64) {
    /// Beyond it a double does not tell whole numbers apart.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if lots.fract() == 0.0 && lots.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        push_int(out, lots as i64);
    } else {
        push_finite(out, lots);
    }
}

/// Any text, quoted and escaped.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, text).is_err() {
        // Writing a text into memory does not fail; if it ever did, the JSON stays whole.
        out.truncate(start);
        push(out, "\"\"");
    }
}
