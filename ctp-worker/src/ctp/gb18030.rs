//! The vendor's texts: GB18030 in fixed arrays, perhaps cut inside a character (pure).

use encoding_rs::GB18030;

/// Decodes up to the first zero. A character cut at the end of the field is left out; other bytes that are no text
/// become U+FFFD, and control characters blanks, so that the text can stand in a log line.
#[must_use]
pub fn decode(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    // Worst case three UTF-8 bytes per byte, and one replacement.
    let mut text = String::with_capacity(end * 3 + 3);
    // `last = false` keeps an unfinished character inside the decoder, where it is forgotten.
    let (_, _, _) = decoder.decode_to_string(&field[..end], &mut text, false);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOGIN_REFUSED: &[u8] = b"CTP:\xb2\xbb\xba\xcf\xb7\xa8\xb5\xc4\xb5\xc7\xc2\xbc";

    #[test]
    fn reads_chinese() {
        assert_eq!(decode(LOGIN_REFUSED), "CTP:不合法的登录");
        assert_eq!(decode(b"CTP:No Error\0garbage\xff"), "CTP:No Error");
    }

    #[test]
    fn a_cut_character_is_left_out() {
        assert_eq!(decode(&LOGIN_REFUSED[..LOGIN_REFUSED.len() - 1]), "CTP:不合法的登");
        // Four-byte characters may be cut in three places.
        let (rare, _, _) = GB18030.encode("a𠀀");
        for length in 2..rare.len() {
            assert_eq!(decode(&rare[..length]), "a", "{length}");
        }
    }

    proptest! {
        #[test]
        fn everything_chinese_comes_back(text in "[\u{4e00}-\u{9fa5}a-z0-9:]{0,30}") {
            let (bytes, _, _) = GB18030.encode(&text);
            prop_assert_eq!(decode(&bytes), text);
        }

        #[test]
        fn foreign_bytes_never_panic_nor_break_a_line(bytes in prop::collection::vec(any::<u8>(), 0..81)) {
            prop_assert!(!decode(&bytes).contains(char::is_control));
        }
    }
}
