//! Offsets and sizes, as the compilers of C and C++ have them.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::process::Command;

use shm_layout::depth::layout::{HEADER_BYTES, MAGIC, SLOT_BYTES, VERSION, header, slot};
use shm_layout::qamddata::Instrument;
use shm_layout::version::TICK_SCHEMA;
use shm_layout::{Level, NO_PRICE, NO_TIME, Source, Tick, TickFlags};

use crate::workshop::{Workshop, run};

type Numbers = BTreeMap<String, i128>;

fn printed(program: &std::path::Path) -> Numbers {
    let (code, output) = run(&mut Command::new(program), "");
    assert_eq!(code, Some(0));
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    output.lines().map(pair).collect()
}

macro_rules! fields_of {
    ($numbers:ident, $type:ident, $name:literal: $($field:ident)*) => {{
        // Names every field, so that one that is added later must be named here and in the program.
        let _ = |value: &$type| { let $type { $($field: _),* } = value; };
        $numbers.insert($name.to_owned(), size_of::<$type>() as i128);
        $(
            let field = format!("{}.{}", $name, stringify!($field));
            $numbers.insert(field, offset_of!($type, $field) as i128);
        )*
    }};
}

fn tick_numbers() -> Numbers {
    let mut numbers = Numbers::new();
    fields_of!(numbers, Level, "qamd_level": bid_price ask_price bid_volume ask_volume);
    fields_of!(numbers, Tick, "qamd_tick":
        worker source flags reserved incarnation sequence receive_time_ns exchange_time_ns trading_day action_day
        instrument_id exchange_id exchange_instrument_id raw_trading_day raw_action_day raw_update_time
        update_millisec volume last_price pre_settlement_price pre_close_price pre_open_interest open_price
        highest_price lowest_price turnover open_interest close_price settlement_price upper_limit_price
        lower_limit_price pre_delta curr_delta average_price banding_upper_price banding_lower_price levels);
    for (name, number) in [
        ("QAMD_TICK_SCHEMA", i128::from(TICK_SCHEMA)),
        ("QAMD_NO_PRICE", i128::from(NO_PRICE.to_bits())),
        ("QAMD_NO_TIME", i128::from(NO_TIME)),
        ("QAMD_SOURCE_FRONT", Source::Front as i128),
        ("QAMD_SOURCE_SIMULATION", Source::Simulation as i128),
        ("QAMD_FLAG_SNAPSHOT", i128::from(TickFlags::SNAPSHOT.0)),
        ("QAMD_FLAG_EXCHANGE_INFERRED", i128::from(TickFlags::EXCHANGE_INFERRED.0)),
    ] {
        numbers.insert(name.to_owned(), number);
    }
    numbers
}

fn depth_numbers() -> Numbers {
    let numbers = [
        ("MAGIC", MAGIC),
        ("VERSION", VERSION),
        ("W_MAGIC", header::MAGIC),
        ("W_VERSION", header::VERSION),
        ("W_STATE", header::STATE),
        ("W_TICK_SCHEMA", header::TICK_SCHEMA),
        ("W_TICK_BYTES", header::TICK_BYTES),
        ("W_SLOT_BYTES", header::SLOT_BYTES),
        ("W_SLOT_CAPACITY", header::SLOT_CAPACITY),
        ("W_INDEX_ENTRIES", header::INDEX_ENTRIES),
        ("W_INDEX_OFFSET", header::INDEX_OFFSET),
        ("W_SLOTS_OFFSET", header::SLOTS_OFFSET),
        ("W_TOTAL_BYTES", header::TOTAL_BYTES),
        ("W_CREATED_NS", header::CREATED_NS),
        ("W_SLOTS_USED", header::SLOTS_USED),
        ("W_OWNER_PID", header::OWNER_PID),
        ("W_OWNER_SEEN_NS", header::OWNER_SEEN_NS),
        ("INDEX_WORD", HEADER_BYTES),
        ("SLOT_WORDS", SLOT_BYTES),
        ("SLOT_SEQUENCE", slot::SEQUENCE),
        ("SLOT_EXCHANGE", slot::EXCHANGE),
        ("SLOT_INSTRUMENT", slot::INSTRUMENT),
        ("SLOT_VOLUME_MULTIPLE", slot::VOLUME_MULTIPLE),
        ("SLOT_PRICE_TICK", slot::PRICE_TICK),
        ("SLOT_PRODUCT_CLASS", slot::PRODUCT_CLASS),
        ("SLOT_CARRIED_SINCE", slot::CARRIED_SINCE),
        ("SLOT_TICKS", slot::TICK_EVEN),
    ];
    let named = |(name, number)| (format!("QAMD_DEPTH_{name}"), i128::from(number));
    numbers.into_iter().map(named).collect()
}

/// The headers in the strictest C11 and C++17, and what they say against what Rust says.
#[test]
fn the_headers_have_the_layout_of_rust() {
    let workshop = Workshop::new();
    let source = "tests/abi/programs/layouts.c";
    let mut expected = tick_numbers();
    expected.extend(depth_numbers());
    let strict = ["-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion"];
    for (name, compiler, language) in
        [("c11", "gcc", &["-std=c11"][..]), ("cpp17", "g++", &["-std=c++17", "-x", "c++"][..])]
    {
        let arguments = [language, &strict, &[source]].concat();
        let found = printed(&workshop.compile(name, compiler, &arguments));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn an_instrument_of_qamddata_has_the_layout_of_existing_programs() {
    let workshop = Workshop::new();
    let source = "tests/abi/programs/instrument.cpp";
    let found = printed(&workshop.compile("instrument", "g++", &["-std=c++17", source]));
    let mut expected = Numbers::new();
    fields_of!(expected, Instrument, "Instrument":
        expired padding product_class volume_multiple margin commission price_tick last_price pre_settlement
        upper_limit lower_limit ask_price1 bid_price1);
    // C++ has it between the fields.
    expected.remove("Instrument.padding");
    assert_eq!(found, expected);
}
