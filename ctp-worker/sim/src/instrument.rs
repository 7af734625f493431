//! Instrument ids as CTP carries them, and what their shape says.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Longest id CTP's newest structs hold, without the closing NUL.
pub(crate) const ID_BYTES_MAX: usize = 80;

/// An instrument id: up to 80 bytes, any but NUL. Longer ones are cut, as the genuine library does.
#[derive(Clone, Copy)]
pub(crate) struct InstrumentId {
    length: u8,
    bytes: [u8; ID_BYTES_MAX],
}

impl InstrumentId {
    /// The id in these bytes, which end at the first NUL if there is one.
    pub(crate) fn new(text: &[u8]) -> Self {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        let length = end.min(ID_BYTES_MAX);
        let mut bytes = [0; ID_BYTES_MAX];
        bytes[..length].copy_from_slice(&text[..length]);
        Self { length: length as u8, bytes }
    }

    /// The id's bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

// Equality and hash look at the id only, not at 80 bytes of it: this is asked for every tick.
impl PartialEq for InstrumentId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for InstrumentId {}

impl Hash for InstrumentId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for InstrumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.as_bytes().escape_ascii())
    }
}

/// Which way an option goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionRight {
    /// The right to buy.
    Call,
    /// The right to sell.
    Put,
}

/// What an id's shape says of the instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape<'id> {
    /// `rb2505`, `IF2503`, `AP505`.
    Future {
        /// The letters: the product.
        product: &'id str,
    },
    /// `m2505-C-2800`, `SR505C5600`, `au2506C680`, `IO2503-C-4000`.
    Option {
        /// The letters: the product of what it is an option on.
        product: &'id str,
        /// Call or put.
        right: OptionRight,
        /// The strike price.
        strike: f64,
    },
    /// `SP a2505&a2509`, `SPD JR009&JR103`, `IPS SF505&SM505`.
    Combination {
        /// The product of the first leg.
        product: &'id str,
    },
    /// None of these.
    Other,
}

impl<'id> Shape<'id> {
    /// Reads the shape of an id.
    pub(crate) fn of(id: &'id InstrumentId) -> Self {
        let Ok(text) = std::str::from_utf8(id.as_bytes()) else { return Self::Other };
        if text.contains('&') || text.contains(' ') {
            let legs = text.rsplit(' ').next().unwrap_or(text);
            let first_leg = legs.split('&').next().unwrap_or(legs);
            let product = letters_of(first_leg);
            return if product.is_empty() { Self::Other } else { Self::Combination { product } };
        }
        let product = letters_of(text);
        let behind = &text[product.len()..];
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        if product.is_empty() || !(3..=4).contains(&digits) {
            return Self::Other;
        }
        let rest = &behind[digits..];
        if rest.is_empty() {
            return Self::Future { product };
        }
        option_of(product, rest).unwrap_or(Self::Other)
    }
}

fn letters_of(text: &str) -> &str {
    let count = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    &text[..count]
}

// The part behind the month: `C5600`, `-C-2800`, `-MS-P-2700` (a series option).
fn option_of<'id>(product: &'id str, rest: &str) -> Option<Shape<'id>> {
    let rest = rest.strip_prefix("-MS").unwrap_or(rest);
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let right = match rest.as_bytes().first()? {
        b'C' => OptionRight::Call,
        b'P' => OptionRight::Put,
        _ => return None,
    };
    let strike = rest[1..].strip_prefix('-').unwrap_or(&rest[1..]);
    let digits_only = strike.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let strike: f64 = strike.parse().ok().filter(|_| digits_only)?;
    Some(Shape::Option { product, right, strike })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape_of(text: &str) -> String {
        format!("{:?}", Shape::of(&InstrumentId::new(text.as_bytes())))
    }

    #[test]
    fn every_exchange_has_its_shapes() {
        for (text, product) in
            [("rb2505", "rb"), ("IF2503", "IF"), ("AP505", "AP"), ("a2505", "a"), ("lc2507", "lc")]
        {
            let id = InstrumentId::new(text.as_bytes());
            assert_eq!(Shape::of(&id), Shape::Future { product }, "{text}");
        }
        for (text, product, right, strike) in [
            ("m2505-C-2800", "m", OptionRight::Call, 2800.0),
            ("m2505-MS-P-2700", "m", OptionRight::Put, 2700.0),
            ("SR505C5600", "SR", OptionRight::Call, 5600.0),
            ("au2506P680", "au", OptionRight::Put, 680.0),
            ("IO2503-C-4000", "IO", OptionRight::Call, 4000.0),
            ("lc2507-P-70000", "lc", OptionRight::Put, 70000.0),
        ] {
            let id = InstrumentId::new(text.as_bytes());
            assert_eq!(Shape::of(&id), Shape::Option { product, right, strike }, "{text}");
        }
        for (text, product) in [
            ("SP a2505&a2509", "a"),
            ("SPC y2505&p2505", "y"),
            ("SPD JR009&JR103", "JR"),
            ("IPS SF505&SM505", "SF"),
        ] {
            let id = InstrumentId::new(text.as_bytes());
            assert_eq!(Shape::of(&id), Shape::Combination { product }, "{text}");
        }
        for text in ["", "1234", "rb", "rb25", "rb25051", "m2505-X-1", "m2505-C-", "rb2505Cx"] {
            assert_eq!(shape_of(text), "Other", "{text}");
        }
    }

    #[test]
    fn an_id_ends_at_its_nul_and_at_eighty_bytes() {
        assert_eq!(InstrumentId::new(b"rb2505\0rubbish").as_bytes(), b"rb2505");
        assert_eq!(InstrumentId::new(&[b'x'; 200]).as_bytes().len(), 80);
        assert!(InstrumentId::new(b"\0").is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_shape(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let id = InstrumentId::new(&bytes);
            let _shape = Shape::of(&id);
            prop_assert!(id.as_bytes().len() <= ID_BYTES_MAX);
        }
    }
}
