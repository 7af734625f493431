//! The symbols a client looks up by name.

use std::ffi::{CString, c_char};
use std::sync::{Arc, OnceLock};

use crate::ffi::api::{MdApi, text};
use crate::ffi::system::refuse_script;
use crate::script::Script;

/// Holds the script, inline or as the path of a file.
const SCRIPT_VARIABLE: &str = "QAMD_SIM";

// The process's only global: the script does not change, and the first who asks reads it.
fn script() -> &'static (Arc<Script>, CString) {
    static SCRIPT: OnceLock<(Arc<Script>, CString)> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let value = std::env::var_os(SCRIPT_VARIABLE);
        let value = value.as_ref().map(|value| value.to_string_lossy());
        let script = match Script::load(value.as_deref()) {
            Ok(script) => script,
            Err(error) => refuse_script(&error),
        };
        // A version with a NUL in it was refused.
        let version = CString::new(script.version.as_str()).unwrap_or_default();
        (Arc::new(script), version)
    })
}

/// `CThostFtdcMdApi::GetApiVersion()`
#[unsafe(export_name = "_ZN15CThostFtdcMdApi13GetApiVersionEv")]
extern "C" fn get_api_version() -> *const c_char {
    script().1.as_ptr()
}

/// `CThostFtdcMdApi::CreateFtdcMdApi(const char *, bool, bool)`, up to 6.7.10
#[unsafe(export_name = "_ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbb")]
unsafe extern "C" fn create(flow_path: *const c_char, _udp: u8, _multicast: u8) -> *mut MdApi {
    // SAFETY: the client hands over a C string (or null, which is the working directory).
    let flow_path = unsafe { text(flow_path) };
    MdApi::create(Arc::clone(&script().0), flow_path)
}

/// `CThostFtdcMdApi::CreateFtdcMdApi(const char *, bool, bool, bool)`, since 6.7.11
#[unsafe(export_name = "_ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbbb")]
unsafe extern "C" fn create_for_production(
    flow_path: *const c_char,
    udp: u8,
    multicast: u8,
    _production: u8,
) -> *mut MdApi {
    // SAFETY: as for the other.
    unsafe { create(flow_path, udp, multicast) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

    use super::*;
    use crate::faults::Death;
    use crate::ffi::system::{die, die_like_the_genuine};

    /// Says to a test that it runs in the process that is meant to die.
    const VICTIM_VARIABLE: &str = "QAMD_SIM_TEST_VICTIM";

    /// Runs the named test again, in a process of its own that may die. `None` is there.
    fn in_victim(test: &str, script: &str) -> Option<Output> {
        if std::env::var_os(VICTIM_VARIABLE).is_some() {
            return None;
        }
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim.args(["--exact", &format!("ffi::exports::tests::{test}"), "--nocapture"]);
        victim.env(VICTIM_VARIABLE, "1").env(SCRIPT_VARIABLE, script);
        Some(victim.output().unwrap())
    }

    fn words_of(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    #[test]
    fn a_bad_script_ends_the_process_with_64() {
        let Some(output) = in_victim("a_bad_script_ends_the_process_with_64", r#"{"ratee": 1}"#)
        else {
            get_api_version();
            unreachable!("a bad script was taken");
        };
        assert_eq!(output.status.code(), Some(64));
        assert!(words_of(&output).contains("`ratee`"), "{}", words_of(&output));
    }

    #[test]
    fn the_version_is_that_of_the_script() {
        let Some(output) = in_victim("the_version_is_that_of_the_script", r#"{"abi": "6.5.1"}"#)
        else {
            let version = get_api_version();
            // SAFETY: the version is a C string that lives as long as the process.
            let version = unsafe { text(version) };
            assert!(version.starts_with(b"v6.5.1_qamd-sim "));
            return;
        };
        assert!(output.status.success(), "{}", words_of(&output));
    }

    #[test]
    fn a_scripted_crash_is_a_segmentation_fault() {
        let Some(output) = in_victim("a_scripted_crash_is_a_segmentation_fault", "{}") else {
            die(Death::Segv);
        };
        assert_eq!(output.status.signal(), Some(11));
    }

    #[test]
    fn a_scripted_abort_is_an_abort() {
        let Some(output) = in_victim("a_scripted_abort_is_an_abort", "{}") else {
            die(Death::Abort);
        };
        assert_eq!(output.status.signal(), Some(6));
    }

    #[test]
    fn a_missing_flow_directory_is_as_deadly_as_the_genuine_one() {
        let name = "a_missing_flow_directory_is_as_deadly_as_the_genuine_one";
        let Some(output) = in_victim(name, "{}") else {
            // SAFETY: the path is a C string.
            unsafe { create_for_production(c"/nowhere/at/all/".as_ptr(), 0, 0, 1) };
            die_like_the_genuine("never reached");
        };
        assert_eq!(output.status.signal(), Some(11));
        assert!(words_of(&output).contains("flow path"), "{}", words_of(&output));
    }
}
