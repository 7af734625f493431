//! What the segments in shared memory cost: writing an instrument's cells, making them for 25,000 instruments, and reading
//! a tick from C++ while it is written as fast as it can be.
//!
//! `cargo bench -p qamd-tests --bench segments` runs all; words behind `--` choose some of update, create, read. Beside each figure
//! stands a floor of the same run: machines are shared and noisy, so look at the ratios.
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use qamd_tests::programs::Workshop;
use shm_layout::cells::{Cell, CellWriter};
use shm_layout::depth::{DepthOwner, SlotFacts};
use shm_layout::qamddata::{Instrument, QamddataKey, QamddataOwner};
use shm_layout::shared_memory::{Place, Sharing};
use shm_layout::{ExchangeId, FleetPaths, Instance, InstrumentId, Level, Tick, clock};

const UNIVERSE: usize = 25_000;
const OURS: Sharing = Sharing { mode: 0o600, group: None };

/// Batches that a median is made of, and writes in each.
const BATCHES: usize = 401;
const WRITES: usize = 2_000;

/// Reads from C++, over all readers.
const READS: u64 = 100_000_000;
const READERS: usize = 1;

/// How fast ticks are written meanwhile: ten times a whole market's greatest burst, and as fast as one core can.
const PACES: [(&str, Duration); 2] = [
    ("500,000 ticks/s are written", Duration::from_micros(2)),
    ("written without a pause", Duration::ZERO),
];

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    if chosen("update") {
        update();
    }
    if chosen("create") {
        create();
    }
    if chosen("read") {
        read();
    }
}

/// Names of this bench's own, removed when it goes.
struct Names(FleetPaths);

// === impl Names ===

impl Names {
    fn new() -> Self {
        let instance = Instance::parse(&format!("bench{}", std::process::id())).expect("a name");
        Self(FleetPaths::new(instance, "/tmp/nowhere".into()).expect("a path"))
    }

    fn depth(&self) -> Place {
        Place::named(&self.0.depth_name())
    }

    fn data_name(&self) -> String {
        format!("{}_data", self.0.instance())
    }

    /// Both segments, with every instrument in both.
    fn segments(&self, count: usize) -> (DepthOwner, QamddataOwner) {
        let (mut depth, _) = DepthOwner::open(&self.depth(), count, OURS).expect("depth");
        let place = Place::named(&self.data_name());
        let (data, _) = QamddataOwner::open(&place, &keyed(count), OURS).expect("qamddata");
        depth.set_qamddata(&self.data_name(), data.inode());
        for id in instruments(count) {
            let slot = depth.add(&id, &facts()).expect("room");
            let key = QamddataKey::of(ExchangeId::SHFE, &id).expect("a key");
            depth.set_cells(slot, data.find(&key).expect("it is there"));
        }
        (depth, data)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for place in [self.depth(), Place::named(&self.data_name())] {
            place.remove().expect("ours");
        }
    }
}

fn instruments(count: usize) -> impl Iterator<Item = InstrumentId> {
    let named = |n: usize| InstrumentId::parse(&format!("cu{}C{}", 2601 + n / 500, n % 500 * 50));
    (0..count).map(move |n| named(n).expect("an instrument's id"))
}

fn keyed(count: usize) -> Vec<(QamddataKey, Instrument)> {
    let key = |id| QamddataKey::of(ExchangeId::SHFE, &id).expect("a key");
    instruments(count).map(|id| (key(id), Instrument::UNKNOWN)).collect()
}

fn facts() -> SlotFacts {
    SlotFacts { exchange: ExchangeId::SHFE, volume_multiple: 5, price_tick: 10.0, product_class: 8 }
}

/// A tick whose numbers are all the same: a torn one shows.
fn tick(n: u64) -> Tick {
    let (price, lots) = (n as f64, (n & 0x7fff_ffff) as i32);
    let level = Level { bid_price: price, ask_price: price, bid_volume: lots, ask_volume: lots };
    Tick {
        sequence: n,
        volume: lots,
        last_price: price,
        turnover: price,
        upper_limit_price: price,
        lower_limit_price: price,
        pre_settlement_price: price,
        levels: [level; 5],
        ..Tick::EMPTY
    }
}

fn median(mut spent: Vec<Duration>) -> f64 {
    spent.sort_unstable();
    spent[spent.len() / 2].as_secs_f64()
}

/// Nanoseconds of one piece of work: the median over batches.
fn per_write(mut work: impl FnMut(usize)) -> f64 {
    let batch = |batch: usize| {
        let begun = clock::monotonic();
        (0..WRITES).for_each(|n| work(batch * WRITES + n));
        clock::monotonic() - begun
    };
    median((0..BATCHES).map(batch).collect()) / WRITES as f64 * 1e9
}

fn update() {
    let names = Names::new();
    let _owners = names.segments(UNIVERSE);
    let (writer, fault) = CellWriter::open(&names.0).expect("the segments");
    assert!(fault.is_none(), "qamddata is open");
    println!("writing one instrument's cells in both segments, ns (median of {BATCHES} batches)");
    println!("{:<34} {:>8} {:>8} {:>8}", "", "ns", "floor", "ratio");
    for (what, among) in [
        ("one instrument", 1),
        ("280 in turn, a worker's share", 280),
        ("25,000 in turn", UNIVERSE),
    ] {
        let ids = instruments(among);
        let mut cells: Vec<Cell> = ids.map(|id| writer.find(&id).expect("it has a slot")).collect();
        // A step that shares no divisor with their number visits each once, and no neighbour next.
        let step = if among == 1 { 0 } else { 7919 };
        let mut source = tick(1);
        let spent = per_write(|n| {
            source.sequence = n as u64;
            writer.write(&mut cells[n * step % among], black_box(&source));
        });
        // A tick copied into memory of as many instruments, which nobody shares.
        let mut own = vec![Tick::EMPTY; among];
        let floor = per_write(|n| {
            source.sequence = n as u64;
            own[n * step % among] = *black_box(&source);
            black_box(&own);
        });
        println!("{what:<34} {spent:>8.1} {floor:>8.1} {:>8.2}", spent / floor);
    }
}

fn create() {
    println!("\nboth segments with {UNIVERSE} instruments, ms (median of 9)");
    let mut spent = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..9 {
        let names = Names::new();
        let place = Place::named(&names.data_name());
        let universe = keyed(UNIVERSE);
        let begun = clock::monotonic();
        drop(QamddataOwner::open(&place, &universe, OURS).expect("qamddata"));
        spent.0.push(clock::monotonic() - begun);
        let begun = clock::monotonic();
        drop(names.segments(UNIVERSE));
        // The one above went on: checked, and taken over.
        spent.1.push(clock::monotonic() - begun);
        let begun = clock::monotonic();
        drop(names.segments(UNIVERSE));
        spent.2.push(clock::monotonic() - begun);
    }
    println!("qamddata made                      {:>8.1}", median(spent.0) * 1e3);
    println!("qamddata taken over, depth made    {:>8.1}", median(spent.1) * 1e3);
    println!("both taken over                    {:>8.1}", median(spent.2) * 1e3);
}

fn read() {
    let names = Names::new();
    let owners = names.segments(8);
    let (writer, _) = CellWriter::open(&names.0).expect("the segments");
    let ids: Vec<InstrumentId> = instruments(8).collect();
    let mut cells: Vec<Cell> =
        ids.iter().map(|id| writer.find(id).expect("it has a slot")).collect();
    assert!(cells.iter_mut().all(|cell| writer.write(cell, &tick(1))));
    let workshop = Workshop::new();
    let source = ["-std=c++17", "-pthread", "tests/bench/depth_load.cpp"];
    let program = workshop.compile("depth_load", "g++", &source);
    let run = |reads: u64| {
        let output = Command::new(&program)
            .args([names.0.depth_name(), reads.to_string(), READERS.to_string()])
            .args(ids.iter().map(ToString::to_string))
            .output()
            .expect("the reader runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    println!(
        "\nreading a tick of one of 8 instruments from C++, with a look at whether it is whole"
    );
    println!("{:<34} {}", "nobody writes", run(READS / 10));
    for (what, apart) in PACES {
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut next = clock::monotonic();
                for n in 2.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    while clock::monotonic() < next {
                        std::hint::spin_loop();
                    }
                    next += apart * 8;
                    let source = tick(n);
                    assert!(cells.iter_mut().all(|cell| writer.write(cell, &source)));
                    written.store((n - 1) * 8, Ordering::Relaxed);
                }
            });
            println!("{what:<34} {}", run(READS));
            stop.store(true, Ordering::Relaxed);
        });
        println!("{:<34} {} ticks were written meanwhile", "", written.load(Ordering::Relaxed));
    }
    drop(owners);
}
