//! Calling the library: one API object and the few functions a market-data gateway needs.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use shm_layout::{BrokerId, FrontAddr, InstrumentId};

use super::abi::{ApiVtable, RawApi};
use super::callbacks::Spi;
use super::event::RequestId;
use super::library::{CreateApi, CtpLibrary};
use super::login_request::Credentials;

/// Why no API object could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The flow directory's path holds a zero byte.
    #[error("the flow directory's path {0:?} cannot be given to the CTP library")]
    FlowDir(std::path::PathBuf),
    /// The library returned nothing.
    #[error("the CTP library made no API object")]
    NotMade,
}

/// Why the library did not take a request. Another try later may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the library refused the request with {code} ({})", Self::meaning(*.code))]
pub struct RequestRefused {
    /// What the function returned.
    pub code: i32,
}

impl RequestRefused {
    const fn meaning(code: i32) -> &'static str {
        match code {
            -1 => "network failure",
            -2 => "too many requests pending",
            -3 => "too many requests per second",
            _ => "unknown code",
        }
    }
}

/// A `CThostFtdcMdApi`. Never released, see [`super::end_process`]; stays on the thread that made it.
#[derive(Debug)]
pub struct CtpApi {
    raw: *mut RawApi,
}

// === impl CtpApi ===

impl CtpApi {
    /// Makes an API object that keeps its flow files in `flow_dir`, registers what it calls and where it connects, and
    /// lets it connect.
    ///
    /// The directory must exist, or the library ends the process; the caller holds its lock.
    ///
    /// # Errors
    /// [`ApiError`] when the library makes none.
    pub fn start(
        library: &CtpLibrary,
        flow_dir: &Path,
        spi: &'static Spi,
        front: &FrontAddr,
    ) -> Result<Self, ApiError> {
        let api = Self::create(library, flow_dir)?;
        let vtable = api.vtable();
        // SAFETY: the object is alive, and the callback object never dies.
        unsafe { (vtable.register_spi)(api.raw, std::ptr::from_ref(spi).cast_mut()) };
        let mut front: Vec<u8> = front.to_string().into_bytes();
        front.push(0);
        // SAFETY: a C string of the form that the library survives; it copies the text.
        unsafe { (vtable.register_front)(api.raw, front.as_mut_ptr().cast()) };
        // SAFETY: called once, after everything is registered.
        unsafe { (vtable.init)(api.raw) };
        Ok(api)
    }

    fn create(library: &CtpLibrary, flow_dir: &Path) -> Result<Self, ApiError> {
        // The library appends the files' names to this text, so it must end in a slash.
        let mut path = flow_dir.as_os_str().as_bytes().to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        let path = CString::new(path).map_err(|_| ApiError::FlowDir(flow_dir.to_owned()))?;
        let (udp, multicast, production) = (false, false, true);
        let raw = match library.create {
            // SAFETY: the path is a C string of an existing directory; the library copies it.
            CreateApi::Plain(create) => unsafe { create(path.as_ptr(), udp, multicast) },
            CreateApi::WithMode(create) => {
                // SAFETY: as above.
                unsafe { create(path.as_ptr(), udp, multicast, production) }
            }
        };
        if raw.is_null() { Err(ApiError::NotMade) } else { Ok(Self { raw }) }
    }

    fn vtable(&self) -> &'static ApiVtable {
        // SAFETY: `create` returned this object and nobody ever releases it; its first word is the table's address.
        let vtable = unsafe { (*self.raw).vtable };
        // SAFETY: a C++ object's table is a constant of the library, which is never unloaded.
        unsafe { &*vtable }
    }

    /// Sends a login.
    ///
    /// # Errors
    /// [`RequestRefused`] when the library did not take it.
    pub fn request_login(
        &self,
        broker: &BrokerId,
        credentials: &Credentials,
        request: RequestId,
    ) -> Result<(), RequestRefused> {
        let mut login = credentials.login_request(broker);
        // SAFETY: the buffer is longer than the record of any version, and the library copies it.
        let code = unsafe {
            (self.vtable().req_user_login)(self.raw, login.as_mut_ptr().cast(), request.0)
        };
        taken(code)
    }

    /// Subscribes instruments in one call.
    ///
    /// # Errors
    /// [`RequestRefused`] when the library did not take it.
    pub fn subscribe(&self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        with_c_strings(instruments, |ids, count| {
            // SAFETY: `count` pointers to C strings, which the library copies.
            unsafe { (self.vtable().subscribe_market_data)(self.raw, ids, count) }
        })
    }

    /// Unsubscribes instruments in one call.
    ///
    /// # Errors
    /// [`RequestRefused`] when the library did not take it.
    pub fn unsubscribe(&self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        with_c_strings(instruments, |ids, count| {
            // SAFETY: as in `subscribe`.
            unsafe { (self.vtable().unsubscribe_market_data)(self.raw, ids, count) }
        })
    }
}

const fn taken(code: c_int) -> Result<(), RequestRefused> {
    if code == 0 { Ok(()) } else { Err(RequestRefused { code }) }
}

/// Lays the ids out as C does: an array of pointers to zero-ended, writable texts.
fn with_c_strings(
    instruments: &[InstrumentId],
    call: impl FnOnce(*mut *mut c_char, c_int) -> c_int,
) -> Result<(), RequestRefused> {
    let mut texts: Vec<[u8; InstrumentId::CAPACITY + 1]> = instruments
        .iter()
        .map(|id| {
            let mut text = [0; InstrumentId::CAPACITY + 1];
            text[..InstrumentId::CAPACITY].copy_from_slice(id.padded());
            text
        })
        .collect();
    let mut pointers: Vec<*mut c_char> =
        texts.iter_mut().map(|text| text.as_mut_ptr().cast()).collect();
    let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
    taken(call(pointers.as_mut_ptr(), count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn ids_reach_the_library_as_c_strings() {
        let longest = "x".repeat(80);
        let ids =
            ["rb2601", "SPD JR009&JR103", &longest].map(|id| InstrumentId::parse(id).unwrap());
        let mut seen = Vec::new();
        let outcome = with_c_strings(&ids, |pointers, count| {
            for index in 0..usize::try_from(count).unwrap() {
                let slot = pointers.wrapping_add(index);
                // SAFETY: index is below the count.
                let pointer = unsafe { *slot };
                // SAFETY: a C string, as asserted by reading it.
                let text = unsafe { CStr::from_ptr(pointer) };
                seen.push(text.to_str().unwrap().to_owned());
            }
            -3
        });
        assert_eq!(seen, ["rb2601", "SPD JR009&JR103", longest.as_str()]);
        assert_eq!(outcome, Err(RequestRefused { code: -3 }));
        assert!(outcome.unwrap_err().to_string().contains("per second"));
    }
}
