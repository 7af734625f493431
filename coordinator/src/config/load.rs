//! Reading the configuration and the files it names.

use std::io::Read;
use std::path::{Path, PathBuf};

use shm_layout::{Instance, TradingCalendar, TradingHours};

use super::{Config, Fault, Faults, INSTRUMENTS_DEFAULT};
use crate::instruments::Universe;
use crate::limits::FILE_BYTES_MAX;

/// What the files named by a configuration hold.
#[derive(Debug, Clone)]
pub struct Files {
    /// The instruments file's content; empty when there is none.
    pub universe: Universe,
    /// When products trade, by the calendar and the file of hours.
    pub hours: TradingHours,
}

impl Default for Files {
    /// No universe, and what is built in of hours.
    fn default() -> Self {
        Self { universe: Universe::default(), hours: TradingHours::new(TradingCalendar::default()) }
    }
}

/// Reads a configuration and every file it names.
///
/// # Errors
/// All faults of all of them at once.
pub fn load(path: &Path) -> Result<(Config, Files), Faults> {
    let file = path.display().to_string();
    let all = |faults| Faults { file: file.clone(), faults };
    let text = read_text(path).map_err(|what| all(vec![Fault { place: String::new(), what }]))?;
    let config = Config::parse(&text).map_err(all)?;
    let files = load_files(&config).map_err(all)?;
    Ok((config, files))
}

/// Where the fleet of a configuration lives, whatever else is wrong with the file: an operator has to reach a running
/// fleet while its file is being edited.
///
/// # Errors
/// The faults that keep this from being known.
pub fn locate(path: &Path) -> Result<(Instance, Option<PathBuf>), Faults> {
    let all = |faults| Faults { file: path.display().to_string(), faults };
    let text = read_text(path).map_err(|what| all(vec![Fault { place: String::new(), what }]))?;
    Config::locate(&text).map_err(all)
}

/// Reads the files that a configuration names, and the default instruments file when it is there.
///
/// # Errors
/// All faults of all of them at once.
pub fn load_files(config: &Config) -> Result<Files, Vec<Fault>> {
    let mut faults = Vec::new();
    let fault = |place: &str, what| Fault { place: place.to_owned(), what };
    let default = Path::new(INSTRUMENTS_DEFAULT);
    let named = config.instruments.as_deref();
    let mut universe = Universe::default();
    if let Some(path) = named.or_else(|| default.exists().then_some(default)) {
        match read_text(path) {
            Err(what) => faults.push(fault("instruments", what)),
            Ok(text) => match Universe::parse(&text) {
                Ok(read) => universe = read,
                Err(found) => faults.extend(found.into_iter().map(|found| Fault {
                    place: format!("instruments: {} {}", path.display(), found.place),
                    what: found.what,
                })),
            },
        }
    }
    let hours = load_hours(config, &mut faults);
    if faults.is_empty() { Ok(Files { universe, hours }) } else { Err(faults) }
}

fn load_hours(config: &Config, faults: &mut Vec<Fault>) -> TradingHours {
    let mut fault = |place: &str, what| faults.push(Fault { place: place.to_owned(), what });
    let mut calendar = TradingCalendar::default();
    if let Some(path) = &config.calendar {
        match read_text(path).map(|text| TradingCalendar::parse(&text)) {
            Err(what) => fault("calendar", what),
            Ok(Err(error)) => fault("calendar", format!("{}: {error}", path.display())),
            Ok(Ok(read)) => calendar = read,
        }
    }
    let Some(path) = &config.trading_hours else { return TradingHours::new(calendar) };
    match read_text(path).map(|text| TradingHours::parse(&text, calendar)) {
        Err(what) => fault("trading_hours", what),
        Ok(Err(found)) => found
            .into_iter()
            .for_each(|found| fault("trading_hours", format!("{}: {found}", path.display()))),
        Ok(Ok(hours)) => return hours,
    }
    TradingHours::new(TradingCalendar::default())
}

/// Reads a text file of bounded length; the error is a sentence that names it.
///
/// # Errors
/// A sentence for a person.
pub fn read_text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let because = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{shown} does not exist"),
        std::io::ErrorKind::InvalidData => format!("{shown} is not UTF-8 text"),
        std::io::ErrorKind::IsADirectory => format!("{shown} is a directory, not a file"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    let file = std::fs::File::open(path).map_err(because)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(because)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{shown} has more than {} MiB", FILE_BYTES_MAX >> 20));
    }
    Ok(text)
}
