//! Rows come out of a file as they went in.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::layout::NO_VALUE;

/// A file of its own that goes with the test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(content: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qamd-sim-test-{}-{number}.csv", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn rows_of(content: &[u8]) -> Result<Vec<Row>, RecordingError> {
    let file = Scratch::new(content);
    let mut recording = Recording::open(&file.0, Abi::V6_7_13)?;
    let mut rows = Vec::new();
    while let Some(row) = recording.next_row()? {
        rows.push(row);
    }
    Ok(rows)
}

#[test]
fn the_header_decides_and_gaps_are_no_values() {
    let rows = rows_of(
        b"UpdateTime,unknown,InstrumentID,LastPrice,Volume,BidPrice5,AskVolume1,ExchangeID\r\n\
          09:00:00,x,\"SPD JR009&JR103\",-619.00,,1.7976931348623157e+308,12.0, \r\n\
          09:00:01,,\"a \"\"b\"\"\",,7,3594.0000000000005,,\r\n",
    )
    .unwrap();
    assert_eq!(rows.len(), 2);
    let first = &rows[0].depth;
    assert_eq!(rows[0].id.as_bytes(), b"SPD JR009&JR103");
    assert_eq!(&first.instrument_id[..16], b"SPD JR009&JR103\0");
    assert_eq!(&first.update_time, b"09:00:00\0");
    assert_eq!((first.last_price, first.volume), (-619.0, 0));
    assert_eq!(first.levels[4].bid_price.to_bits(), NO_VALUE.to_bits());
    assert_eq!(first.levels[0].ask_volume, 12);
    assert_eq!(&first.exchange_id[..2], b" \0");
    assert_eq!(first.open_price, NO_VALUE);
    assert_eq!(first.action_day, [0; 9]);
    let second = &rows[1].depth;
    assert_eq!(rows[1].id.as_bytes(), b"a \"b\"");
    assert_eq!((second.last_price, second.volume), (NO_VALUE, 7));
    assert_eq!(second.levels[4].bid_price.to_bits(), 3594.0000000000005f64.to_bits());
}

#[test]
fn compressed_files_are_the_same_rows() {
    let mut plain = b"InstrumentID,UpdateTime,LastPrice\n".to_vec();
    for row in 0..5000 {
        plain.extend(format!("rb2505,09:00:00,{row}.5\n").bytes());
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    // Two frames, one after the other, as joined files are.
    let (left, right) = plain.split_at(plain.len() / 2);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let mut zstd = ruzstd::encoding::compress_to_vec(left, level);
    zstd.extend(ruzstd::encoding::compress_to_vec(right, level));
    for content in [plain, gzip, zstd] {
        let rows = rows_of(&content).unwrap();
        assert_eq!(rows.len(), 5000);
        assert_eq!(rows[4999].depth.last_price, 4999.5);
    }
}

#[test]
fn damage_is_named_with_its_place() {
    let wrong = |content: &[u8]| rows_of(content).unwrap_err().to_string();
    assert!(wrong(b"LastPrice\n1\n").contains("`InstrumentID`"));
    assert!(wrong(b"InstrumentID\n1\n").contains("`UpdateTime`"));
    assert!(wrong(b"InstrumentID,UpdateTime,Volume,Volume\n").contains("twice"));
    let bad_price = wrong(b"InstrumentID,UpdateTime,LastPrice\na,,1\nb,,x1\n");
    assert!(bad_price.contains("line 3") && bad_price.contains("`LastPrice`"), "{bad_price}");
    assert!(wrong(b"InstrumentID,UpdateTime,Volume\na,,1.5\n").contains("`Volume`"));
    assert!(wrong(b"InstrumentID,UpdateTime\na\n").contains("reading the recording"));
    assert!(wrong(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0]).contains(" the recording "));
    let nowhere = Recording::open(Path::new("/nowhere.csv"), Abi::V6_7_13).unwrap_err();
    assert!(nowhere.to_string().contains("/nowhere.csv"));
}

#[test]
fn an_older_version_keeps_its_names() {
    let file = Scratch::new(b"InstrumentID,UpdateTime,ExchangeInstID\nrb2505,09:00:00,X\n");
    let mut recording = Recording::open(&file.0, Abi::V6_3_19).unwrap();
    let row = recording.next_row().unwrap().unwrap();
    assert_eq!(&row.depth.short_instrument_id[..7], b"rb2505\0");
    assert_eq!(&row.depth.short_exchange_inst_id[..2], b"X\0");
}

proptest! {
    #[test]
    fn prices_come_back_bit_for_bit(bits: u64) {
        let price = f64::from_bits(bits);
        prop_assume!(!price.is_nan());
        let content = format!("InstrumentID,UpdateTime,LastPrice\na,09:00:00,{price:?}\n");
        let rows = rows_of(content.as_bytes()).unwrap();
        prop_assert_eq!(rows[0].depth.last_price.to_bits(), bits);
    }
}
