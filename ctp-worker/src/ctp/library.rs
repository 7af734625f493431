//! Loading the vendor's library by its path and finding out what it is.

use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::abi::{self, Create, CreateWithMode, GetVersion, MULTICAST_QUERY};
use super::layout::{ChosenLayout, Confidence, Layout};
use super::version::{self, VersionNumber};

/// Why a library cannot be used. Starting again would not help.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Nothing is there.
    #[error(
        "there is no CTP library at {}: run `make ctp-library`, or set ctp_library to the path of a thostmduserapi_se.so", path.display()
    )]
    Missing {
        /// The path looked at.
        path: PathBuf,
    },
    /// The system would not load it: no library, another architecture, or a library it needs is missing.
    #[error(
        "loading the CTP library {} failed (it must be a shared library for Linux on {})", path.display(), std::env::consts::ARCH
    )]
    Load {
        /// The path.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: libloading::Error,
    },
    /// It is some other library.
    #[error(
        "{} is not a CTP market-data library, it exports no {symbol}: set ctp_library to a thostmduserapi_se.so (not the trader's), or run `make ctp-library`", path.display()
    )]
    Foreign {
        /// The path.
        path: PathBuf,
        /// The symbol that is missing.
        symbol: &'static str,
    },
    /// Its version cannot be read, so its layout is unknown.
    #[error(
        "the CTP library {} calls its version {text:?}, which says nothing of its layout: set ctp_allow_unknown_version to take it for the newest known", path.display()
    )]
    Version {
        /// The path.
        path: PathBuf,
        /// What GetApiVersion answered.
        text: String,
    },
}

/// Which of the two functions makes an API object.
#[derive(Debug, Clone, Copy)]
pub(super) enum CreateApi {
    /// Up to 6.7.10.
    Plain(Create),
    /// From 6.7.11.
    WithMode(CreateWithMode),
}

/// A loaded library. It stays loaded until the process ends: its threads cannot be stopped safely.
#[derive(Debug)]
pub struct CtpLibrary {
    path: PathBuf,
    version_text: String,
    chosen: ChosenLayout,
    pub(super) create: CreateApi,
    /// Never unloaded: the functions above lie inside it.
    _library: ManuallyDrop<Library>,
}

// === impl CtpLibrary ===

impl CtpLibrary {
    /// Loads the library at `path`, asks its version and chooses the layout. A library whose version cannot be read is
    /// refused unless `allow_unknown_version`.
    ///
    /// # Errors
    /// [`LibraryError`] names the path and what to do.
    pub fn load(path: &Path, allow_unknown_version: bool) -> Result<Self, LibraryError> {
        // A name without a slash would be searched for elsewhere; an absolute path is what was asked for, or nothing.
        let path = match std::path::absolute(path) {
            Ok(absolute) if absolute.is_file() => absolute,
            _ => return Err(LibraryError::Missing { path: path.to_owned() }),
        };
        // SAFETY: loading runs the library's initialisers; that is what an operator who names a library asks for.
        let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|source| LibraryError::Load { path: path.clone(), source })?;
        let library = ManuallyDrop::new(library);
        let version_text = version_text(&library, &path)?;
        let create = create_function(&library, &path)?;
        let chosen = choose_layout(&library, &version_text).or_else(|| {
            let layout = Layout::newest();
            allow_unknown_version
                .then_some(ChosenLayout { layout, confidence: Confidence::Unreadable })
        });
        let Some(chosen) = chosen else {
            return Err(LibraryError::Version { path, text: version_text });
        };
        Ok(Self { path, version_text, chosen, create, _library: library })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What GetApiVersion answered.
    #[must_use]
    pub fn version_text(&self) -> &str {
        &self.version_text
    }

    /// The layout it is read with.
    #[must_use]
    pub const fn layout(&self) -> ChosenLayout {
        self.chosen
    }

    /// The function that makes its API object, as `nm` shows it.
    #[must_use]
    pub const fn create_symbol(&self) -> &'static str {
        match self.create {
            CreateApi::Plain(_) => abi::CREATE,
            CreateApi::WithMode(_) => abi::CREATE_WITH_MODE,
        }
    }

    /// True for the simulated library.
    #[must_use]
    pub fn is_simulation(&self) -> bool {
        version::is_simulation(&self.version_text)
    }
}

fn version_text(library: &Library, path: &Path) -> Result<String, LibraryError> {
    // SAFETY: this mangled name says: a static function without arguments; the header says it returns a C string.
    let get_version = unsafe { library.get::<GetVersion>(abi::GET_VERSION) }
        .map_err(|_| LibraryError::Foreign { path: path.to_owned(), symbol: abi::GET_VERSION })?;
    // SAFETY: it may be called at any time, before anything was made.
    let text = unsafe { get_version() };
    if text.is_null() {
        return Ok(String::new());
    }
    // SAFETY: not null, and a constant of the library with its closing zero.
    let text = unsafe { CStr::from_ptr(text) };
    Ok(super::gb18030::decode(text.to_bytes()))
}

fn create_function(library: &Library, path: &Path) -> Result<CreateApi, LibraryError> {
    // SAFETY: the mangled name states the arguments; the header says it returns the object.
    let with_mode = unsafe { library.get::<CreateWithMode>(abi::CREATE_WITH_MODE) };
    if let Ok(create) = with_mode {
        return Ok(CreateApi::WithMode(*create));
    }
    // SAFETY: as above.
    let plain = unsafe { library.get::<Create>(abi::CREATE) };
    match plain {
        Ok(create) => Ok(CreateApi::Plain(*create)),
        Err(_) => Err(LibraryError::Foreign { path: path.to_owned(), symbol: abi::CREATE }),
    }
}

fn choose_layout(library: &Library, version_text: &str) -> Option<ChosenLayout> {
    let number = VersionNumber::parse(version_text).ok()?;
    // SAFETY: only its presence is asked for; it is never called.
    let multicast_query = unsafe { library.get::<GetVersion>(MULTICAST_QUERY) };
    Some(Layout::choose(number, multicast_query.is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        CtpLibrary::load(path, false).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_library_is_named_together_with_the_remedy() {
        let said = refusal(Path::new("/nowhere/thostmduserapi_se.so"));
        assert!(
            said.contains("/nowhere/thostmduserapi_se.so") && said.contains("make ctp-library"),
            "{said}"
        );
        // A bare name must not be searched for in the system's directories.
        let bare = CtpLibrary::load(Path::new("libc.so.6"), false).unwrap_err();
        assert!(matches!(bare, LibraryError::Missing { .. }), "{bare}");
    }

    #[test]
    fn what_is_no_library_is_refused_in_the_loaders_words() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let error = CtpLibrary::load(&file, false).unwrap_err();
        assert!(matches!(error, LibraryError::Load { .. }), "{error}");
        let source = std::error::Error::source(&error).unwrap();
        assert!(std::error::Error::source(source).unwrap().to_string().contains("Cargo.toml"));
    }

    #[test]
    fn another_library_is_refused_by_what_it_lacks() {
        let libc = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = libc.lines().find_map(|line| {
            line.split_whitespace().nth(5).filter(|path| path.contains("libc.so"))
        });
        let said = refusal(Path::new(libc.unwrap()));
        assert!(said.contains("GetApiVersion"), "{said}");
    }
}
