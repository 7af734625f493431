//! The address of a broker's front.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The address of a front, `tcp://host:port`, checked before the vendor's library sees it.
///
/// The library ends the process on an empty address, on one without a scheme, and on `udp://` or `http://`; it keeps
/// silent about a missing or impossible port. So nothing reaches it that this type did not admit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrontAddr {
    host: String,
    port: u16,
}

/// Why a text is not a front's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontAddrError {
    /// It does not begin with `tcp://`.
    #[error(
        "front address {0:?} must begin with tcp:// (as tcp://182.254.243.31:30011); other schemes crash the CTP library"
    )]
    Scheme(String),
    /// No `:port`, or a port outside 1 to 65535.
    #[error("front address {0:?} needs a port from 1 to 65535 after the last colon")]
    Port(String),
    /// An empty host or one with impossible characters.
    #[error("front address {0:?} needs a host name or an IP address between tcp:// and the port")]
    Host(String),
}

// === impl FrontAddr ===

impl FrontAddr {
    const SCHEME: &'static str = "tcp://";
    const HOST_BYTES_MAX: usize = 253;

    /// Checks and takes `tcp://host:port`.
    ///
    /// # Errors
    /// [`FrontAddrError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, FrontAddrError> {
        let given = || text.to_owned();
        let rest =
            text.strip_prefix(Self::SCHEME).ok_or_else(|| FrontAddrError::Scheme(given()))?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| FrontAddrError::Port(given()))?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0);
        let port = port.ok_or_else(|| FrontAddrError::Port(given()))?;
        if !Self::is_host(host) {
            return Err(FrontAddrError::Host(given()));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    fn is_host(host: &str) -> bool {
        if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Ipv6Addr::from_str(inside).is_ok();
        }
        let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if numeric {
            return Ipv4Addr::from_str(host).is_ok();
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        host.len() <= Self::HOST_BYTES_MAX && host.split('.').all(label)
    }
}

impl FromStr for FrontAddr {
    type Err = FrontAddrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for FrontAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:{}", Self::SCHEME, self.host, self.port)
    }
}

impl serde::Serialize for FrontAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FrontAddr {
    fn deserialize<D: serde::Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(de)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_good_addresses_as_written() {
        for text in
            ["tcp://182.254.243.31:30011", "tcp://front.example.com:41213", "tcp://[::1]:17001"]
        {
            assert_eq!(FrontAddr::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_everything_that_would_crash_or_silence_the_library() {
        for text in
            ["", "182.254.243.31:30011", "udp://1.2.3.4:1", "http://1.2.3.4:1", "TCP://1.2.3.4:1"]
        {
            assert!(matches!(FrontAddr::parse(text), Err(FrontAddrError::Scheme(_))), "{text}");
        }
        for text in [
            "tcp://1.2.3.4",
            "tcp://1.2.3.4:",
            "tcp://1.2.3.4:0",
            "tcp://1.2.3.4:99999",
            "tcp://1.2.3.4:+1",
        ] {
            assert!(matches!(FrontAddr::parse(text), Err(FrontAddrError::Port(_))), "{text}");
        }
        for text in [
            "tcp://:1",
            "tcp://a b:1",
            "tcp://1.2.3:1",
            "tcp://256.1.1.1:1",
            "tcp://a\0b:1",
            "tcp://a@b:1",
        ] {
            assert!(matches!(FrontAddr::parse(text), Err(FrontAddrError::Host(_))), "{text}");
        }
    }
}
