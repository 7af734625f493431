//! Writing JSON (pure).

/// Appends text in quotes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push(b'\\');
                out.push(if character == '"' { b'"' } else { b'\\' });
            }
            control if control < ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends text in quotes, or null.
pub(super) fn push_text_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => push_text(out, text),
        None => push_null(out),
    }
}

/// Appends a number that has a decimal point, or null where it is none.
pub(super) fn push_number(out: &mut Vec<u8>, number: Option<f64>) {
    match number.filter(|number| number.is_finite()) {
        Some(number) => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
        }
        None => push_null(out),
    }
}

/// Appends a whole number, or null.
pub(super) fn push_int<I: itoa::Integer>(out: &mut Vec<u8>, number: Option<I>) {
    match number {
        Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => push_null(out),
    }
}

/// Appends true or false.
pub(super) fn push_flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Appends null.
pub(super) fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,40}|[\\x00-\\x1f\"\\\\]{0,10}") {
            let mut out = Vec::new();
            push_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_number_comes_back(number in any::<f64>()) {
            let mut out = Vec::new();
            push_number(&mut out, Some(number));
            // serde_json's own reading of numbers is not exact to the last bit.
            let back = std::str::from_utf8(&out).unwrap().parse::<f64>().ok();
            prop_assert_eq!(back, Some(number).filter(|number| number.is_finite()));
        }
    }
}
