//! Opens a recording as a stream of bytes: plain, zstd or gzip, told apart by their first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Opens a recording; what is compressed is decompressed while it is read.
///
/// # Errors
/// When the file cannot be opened or begins like a compressed one and is none.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(64 * 1024, File::open(path)?);
    let beginning = file.fill_buf()?;
    if beginning.starts_with(&ZSTD_MAGIC) {
        let mut decoder = FrameDecoder::new();
        decoder.init(&mut file).map_err(io::Error::other)?;
        return Ok(Box::new(ZstdFrames { file, decoder }));
    }
    if beginning.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(MultiGzDecoder::new(file)));
    }
    Ok(Box::new(file))
}

/// A zstd file may hold several frames one after the other (`pzstd`, or files joined by `cat`).
struct ZstdFrames {
    file: BufReader<File>,
    decoder: FrameDecoder,
}

impl Read for ZstdFrames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if !self.decoder.is_finished() {
                let one_block = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.file, one_block);
                decoded.map_err(io::Error::other)?;
            } else if self.file.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.decoder.init(&mut self.file).map_err(io::Error::other)?;
            }
        }
        self.decoder.read(buffer)
    }
}
