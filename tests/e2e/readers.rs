//! Programs in C, C++ and Python beside a fleet see what a WebSocket client sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use qamd_tests::binaries::built;
use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::programs::{Program, Workshop, run, workspace};
use qamd_tests::push::{Field, Push};
use qamd_tests::recordings;
use qamd_tests::watch::{eventually, guarded};
use serde_json::json;

/// The instruments of the sample recording, and their keys in `qamddata`.
const TRADED: [(&str, &str); 4] = [
    ("rb2605", "SHFE.rb2605"),
    ("m2605", "DCE.m2605"),
    ("SR605", "CZCE.SR605"),
    ("SPD SR605&SR609", "CZCE.SPD SR605&SR609"),
];

/// What an operator lists of them; rb2505 does not trade any more, and nobody wants it.
const LISTED: &str = "\
instrument_id,exchange_id,product_class,volume_multiple,price_tick,margin,commission,expired
rb2605,SHFE,futures,10,1,0.13,1.5,false
m2605,DCE,,10,1,,0.25,
SR605,CZCE,futures,10,1,0.09,,0
SPD SR605&SR609,CZCE,combination,,,,,
rb2505,SHFE,futures,10,1,0.1,2,true
";

/// The facts of each as `qamddata` has them: expired, product_class, volume_multiple, price_tick, margin, commission.
const FACTS: [(&str, [Option<f64>; 6]); 5] = [
    ("SHFE.rb2605", [Some(0.0), Some(1.0), Some(10.0), Some(1.0), Some(0.13), Some(1.5)]),
    ("DCE.m2605", [Some(0.0), Some(1.0), Some(10.0), Some(1.0), None, Some(0.25)]),
    ("CZCE.SR605", [Some(0.0), Some(1.0), Some(10.0), Some(1.0), Some(0.09), None]),
    ("CZCE.SPD SR605&SR609", [Some(0.0), Some(4.0), Some(0.0), None, None, None]),
    ("SHFE.rb2505", [Some(1.0), Some(1.0), Some(10.0), Some(1.0), Some(0.1), Some(2.0)]),
];

/// The fields of `qamddata` that ticks write, and the same in a push.
const PRICES: [(&str, &str); 6] = [
    ("last_price", "last_price"),
    ("pre_settlement", "pre_settlement_price"),
    ("upper_limit", "upper_limit_price"),
    ("lower_limit", "lower_limit_price"),
    ("ask_price1", "ask_price1"),
    ("bid_price1", "bid_price1"),
];

/// A program's line of JSON.
fn parsed(line: &str) -> Push {
    Push::parse(line.to_owned()).unwrap_or_else(|| panic!("no flat object: {line}"))
}

/// Looks whether a line of one of the samples shows a push, field by field and bit for bit.
fn shows(line: &str, push: &Push) -> Result<(), String> {
    let line = parsed(line);
    let bits = |of: &Push, key| of.number(key).map(f64::to_bits);
    let prices = [("last", "last_price"), ("bid1", "bid_price1"), ("ask1", "ask_price1")];
    let same = line.string("instrument") == Some(push.instrument())
        && line.string("exchange").unwrap_or_default() == push.string("exchange_id").unwrap_or_default()
        && prices.iter().all(|(ours, theirs)| bits(&line, ours) == bits(push, theirs));
    let with_volume = line.fields().any(|(key, field)| key == "volume" && field != Field::Null);
    let time_ns = push.integer("timestamp").map(|ms| ms * 1_000_000);
    let rest = line.integer("volume") == push.integer("volume") && line.integer("time") == time_ns;
    let of_qamddata = !with_volume && line.integer("time").is_none();
    if same && (rest || of_qamddata) {
        return Ok(());
    }
    Err(format!("{} does not show {}", line.text(), push.text()))
}

/// The samples that print the latest ticks: told which segment, which of them shows which names.
struct Latest {
    command: Vec<String>,
    segment: String,
}

impl Latest {
    fn all(workshop: &Workshop, fleet: &Fleet) -> [Self; 3] {
        let [depth, qamddata] = fleet.home().segments();
        let path = |path: &Path| path.display().to_string();
        let c = workshop.c("depth_reader", "samples/depth_reader.c");
        let boost = workshop.boost("legacy_reader", "samples/legacy_reader.cpp");
        let python = workspace().join("samples/depth.py");
        [
            Self { command: vec![path(&c)], segment: depth.clone() },
            Self { command: vec!["python3".to_owned(), path(&python)], segment: depth },
            Self { command: vec![path(&boost)], segment: qamddata },
        ]
    }

    /// Runs it until it shows these pushes, in this order.
    async fn show(&self, names: &[&str], pushes: &[&Push]) {
        let mut complaint = String::new();
        let begun = std::cell::RefCell::new(&mut complaint);
        let agreed = eventually("the sample shows what the client saw", async || {
            let mut command = Command::new(&self.command[0]);
            command.args(&self.command[1..]).args(["--segment", &self.segment]).args(names);
            let ended = run(&mut command);
            assert_eq!((ended.code, ended.complaints.as_str()), (Some(0), ""), "{command:?}");
            assert_eq!(ended.lines.len(), pushes.len(), "{command:?}: {ended:?}");
            let shown = ended.lines.iter().zip(pushes).try_for_each(|(line, push)| shows(line, push));
            shown.map_err(|fault| **begun.borrow_mut() = fault).ok()
        });
        agreed.await;
    }
}
