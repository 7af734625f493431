//! Which instruments a recording holds.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ruzstd::decoding::StreamingDecoder;
use shm_layout::{InstrumentId, InstrumentIdError};

/// Instruments of a recording that are shown. Beyond it further ones are not looked for.
const INSTRUMENTS_MAX: usize = 1000;
const ID_COLUMN: &str = "InstrumentID";

/// Why a recording cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("reading the recording {path} failed")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the decompression said.
        #[source]
        source: io::Error,
    },
    /// It is not CSV.
    #[error("the recording {path} is not CSV")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: csv::Error,
    },
    /// Its header names no instruments.
    #[error(
        "the recording {0} has no column {ID_COLUMN} in its first line; it must have CTP's column names"
    )]
    NoIds(PathBuf),
    /// It holds no row.
    #[error("the recording {0} holds no tick")]
    Empty(PathBuf),
    /// A row's instrument is none.
    #[error("line {line} of the recording {path}")]
    Id {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong.
        #[source]
        source: InstrumentIdError,
    },
}

/// The distinct instruments of a recording (`.csv`, `.csv.gz`, `.csv.zst`), sorted; the file is read through once.
///
/// # Errors
/// [`RecordingError`] names the file and the place.
pub fn recording_ids(path: &Path) -> Result<Vec<InstrumentId>, RecordingError> {
    let unreadable = |source| RecordingError::Read { path: path.to_owned(), source };
    let broken = |source| RecordingError::Csv { path: path.to_owned(), source };
    let mut reader = csv::Reader::from_reader(open(path).map_err(unreadable)?);
    let header = reader.byte_headers().map_err(broken)?;
    let column = header.iter().position(|name| name == ID_COLUMN.as_bytes());
    let column = column.ok_or_else(|| RecordingError::NoIds(path.to_owned()))?;
    let mut ids = BTreeSet::new();
    let mut record = csv::ByteRecord::new();
    while ids.len() < INSTRUMENTS_MAX && reader.read_byte_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, csv::Position::line);
        let id = InstrumentId::from_bytes(record.get(column).unwrap_or_default())
            .map_err(|source| RecordingError::Id { path: path.to_owned(), line, source })?;
        ids.insert(id);
    }
    if ids.is_empty() {
        Err(RecordingError::Empty(path.to_owned()))
    } else {
        Ok(ids.into_iter().collect())
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = BufReader::new(File::open(path)?);
    Ok(match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("zst") => Box::new(ZstdFrames { frame: Some(frame(file)?) }),
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

type Frame = StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>;

/// A file of zstd frames one after the other, as several recordings joined make it; the decoder knows only one.
struct ZstdFrames {
    frame: Option<Frame>,
}

fn frame(file: BufReader<File>) -> io::Result<Frame> {
    StreamingDecoder::new(file)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

impl Read for ZstdFrames {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(current) = &mut self.frame {
            let count = current.read(buf)?;
            if count > 0 || buf.is_empty() {
                return Ok(count);
            }
            let mut file = self.frame.take().map(StreamingDecoder::into_inner);
            if let Some(file) =
                file.take_if(|file| file.fill_buf().is_ok_and(|rest| !rest.is_empty()))
            {
                self.frame = Some(frame(file)?);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &str =
        "TradingDay,InstrumentID,LastPrice\n1,rb2705,1\n1,\"SPD JR009&JR103\",2\n1,rb2705,3\n";

    fn file(name: &str, bytes: &[u8]) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("qamd-recording-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn ids(path: &Path) -> Vec<String> {
        let ids = recording_ids(path).unwrap().iter().map(ToString::to_string).collect();
        std::fs::remove_file(path).unwrap();
        ids
    }

    #[test]
    fn finds_the_instruments_in_every_packing() {
        let expected = ["SPD JR009&JR103", "rb2705"];
        assert_eq!(ids(&file("plain.csv", TEXT.as_bytes())), expected);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(TEXT.as_bytes()).unwrap();
        assert_eq!(ids(&file("packed.csv.gz", &gz.finish().unwrap())), expected);
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let mut zst = ruzstd::encoding::compress_to_vec(TEXT.as_bytes(), level);
        zst.extend(ruzstd::encoding::compress_to_vec(&b"1,au2706,1\n"[..], level));
        assert_eq!(ids(&file("packed.csv.zst", &zst)), ["SPD JR009&JR103", "au2706", "rb2705"]);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |name: &str, text: &str| {
            let path = file(name, text.as_bytes());
            let error = crate::output::chain(&recording_ids(&path).unwrap_err());
            std::fs::remove_file(&path).unwrap();
            error
        };
        assert!(error("a.csv", "A,B\n1,2\n").contains("no column InstrumentID"));
        assert!(error("b.csv", "InstrumentID\n").contains("holds no tick"));
        assert!(error("c.csv", "A,InstrumentID\n1,\n").contains("line 2"));
        assert!(error("d.csv.zst", "rubbish").contains("reading the recording"));
        assert!(recording_ids(Path::new("/no/such")).is_err());
    }
}
