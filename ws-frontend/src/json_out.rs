//! JSON's smallest parts, written as fast as may be (pure).

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
        None => push_null(out),
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

/// Any text, or null.
pub(crate) fn push_string_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => push_null(out),
    }
}

/// A finite number, or null.
pub(crate) fn push_number_or_null(out: &mut Vec<u8>, number: Option<f64>) {
    match number.filter(|number| number.is_finite()) {
        Some(number) => push_finite(out, number),
        None => push_null(out),
    }
}

/// A whole number, or null.
pub(crate) fn push_int_or_null(out: &mut Vec<u8>, number: Option<impl itoa::Integer>) {
    match number {
        Some(number) => push_int(out, number),
        None => push_null(out),
    }
}

/// True or false.
pub(crate) fn push_flag(out: &mut Vec<u8>, flag: bool) {
    push(out, if flag { "true" } else { "false" });
}

/// Null.
pub(crate) fn push_null(out: &mut Vec<u8>) {
    push(out, "null");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lots_are_whole_as_far_as_they_are() {
        let text = |lots| {
            let mut out = Vec::new();
            push_lots(&mut out, lots);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(156_890.0), "156890");
        assert_eq!(text(-0.5), "-0.5");
        assert_eq!(text(1e300).parse(), Ok(1e300));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,40}|[\\x00-\\x1f\"\\\\]{0,10}") {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_number_comes_back(number in any::<f64>()) {
            let mut out = Vec::new();
            push_number_or_null(&mut out, Some(number));
            // serde_json's own reading of numbers is not exact to the last bit.
            let back = std::str::from_utf8(&out).unwrap().parse::<f64>().ok();
            prop_assert_eq!(back, Some(number).filter(|number| number.is_finite()));
        }
    }
}
