//! `CThostFtdcReqUserLoginField`, the only record handed to the library (pure).

use shm_layout::BrokerId;

/// Bytes of the request as it is handed over. The library reads 224 to 228 bytes up to 6.3.19, 264 from 6.5.1, 280 in
/// 6.7.13; the first fields never moved. All else is zero, so a longer buffer serves every version, newer ones too.
pub const LOGIN_REQUEST_BYTES: usize = 512;

const BROKER_AT: usize = 9;
const USER_AT: usize = 20;
const PASSWORD_AT: usize = 36;
const USER_BYTES_MAX: usize = 15;
const PASSWORD_BYTES_MAX: usize = 40;

/// The user of a front, if it wants one. Checked to fit CTP's fields; its password is shown nowhere.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    user: String,
    password: String,
}

/// Why credentials cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Too long or with a zero byte.
    #[error("the user id has {0} bytes or holds a zero byte; CTP takes at most {USER_BYTES_MAX}")]
    User(usize),
    /// Too long or with a zero byte.
    #[error(
        "the password has {0} bytes or holds a zero byte; CTP takes at most {PASSWORD_BYTES_MAX}"
    )]
    Password(usize),
}

// === impl Credentials ===

impl Credentials {
    /// Checks that both fit; both may be empty, as most fronts accept.
    ///
    /// # Errors
    /// [`CredentialsError`] names the one that does not, and never its content.
    pub fn new(user: &str, password: &str) -> Result<Self, CredentialsError> {
        let fits = |text: &str, most: usize| text.len() <= most && !text.contains('\0');
        if !fits(user, USER_BYTES_MAX) {
            return Err(CredentialsError::User(user.len()));
        }
        if !fits(password, PASSWORD_BYTES_MAX) {
            return Err(CredentialsError::Password(password.len()));
        }
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The request as the library reads it.
    #[must_use]
    pub fn login_request(&self, broker: &BrokerId) -> [u8; LOGIN_REQUEST_BYTES] {
        let mut request = [0; LOGIN_REQUEST_BYTES];
        let mut put = |at: usize, text: &str| {
            request[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(BROKER_AT, broker.as_str());
        put(USER_AT, &self.user);
        put(PASSWORD_AT, &self.password);
        request
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

// BrokerID\[11\] ends where UserID\[16\] begins, and that where Password\[41\] does; each keeps its closing zero.
const _: () = assert!(BROKER_AT + BrokerId::CAPACITY + 1 == USER_AT);
const _: () = assert!(USER_AT + USER_BYTES_MAX + 1 == PASSWORD_AT);
const _: () = assert!(PASSWORD_AT + PASSWORD_BYTES_MAX < 224);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_stands_in_its_place_with_its_closing_zero() {
        let broker = BrokerId::parse("1234567890").unwrap();
        let credentials = Credentials::new(&"u".repeat(15), &"p".repeat(40)).unwrap();
        let request = credentials.login_request(&broker);
        assert_eq!(&request[..9], [0; 9]);
        assert_eq!(&request[9..20], b"1234567890\0");
        assert_eq!(&request[20..36], b"uuuuuuuuuuuuuuu\0");
        assert_eq!(&request[36..76], [b'p'; 40]);
        assert!(request[76..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn refuses_what_does_not_fit_and_never_shows_a_password() {
        assert_eq!(Credentials::new(&"u".repeat(16), ""), Err(CredentialsError::User(16)));
        assert_eq!(Credentials::new("", &"p".repeat(41)), Err(CredentialsError::Password(41)));
        assert_eq!(Credentials::new("a\0b", ""), Err(CredentialsError::User(3)));
        let shown = format!("{:?}", Credentials::new("me", "secret").unwrap());
        assert!(shown.contains("me") && !shown.contains("secret"));
    }
}
