//! Programs in C, C++ and Python beside a fleet see what a WebSocket client sees.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use qamd_tests::binaries::built;
use qamd_tests::fleet::{Fleet, FleetPlan, Home};
use qamd_tests::programs::{Program, Workshop, run, workspace};
use qamd_tests::push::Push;
use qamd_tests::watch::{LOOK_EVERY, WATCHDOG, eventually};
use qamd_tests::{processes, recordings};
use serde_json::json;
use shm_layout::clock;

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

/// Looks whether a line of one of the samples shows a push, field by field and bit for bit. `qamddata` has no times and no
/// volumes.
fn shows(line: &str, push: &Push, of_qamddata: bool) -> Result<(), String> {
    let line = parsed(line);
    let bits = |of: &Push, key| of.number(key).map(f64::to_bits);
    let text = |of: &Push, key| of.string(key).unwrap_or_default().to_owned();
    let prices = [("last", "last_price"), ("bid1", "bid_price1"), ("ask1", "ask_price1")];
    let time_ns = push.integer("timestamp").map(|ms| ms * 1_000_000);
    let when = if of_qamddata { (None, None) } else { (time_ns, push.integer("volume")) };
    let same = line.string("instrument") == Some(push.instrument())
        && text(&line, "exchange") == text(push, "exchange_id")
        && (line.integer("time"), line.integer("volume")) == when
        && prices.iter().all(|(ours, theirs)| bits(&line, ours) == bits(push, theirs));
    if same { Ok(()) } else { Err(format!("{} does not show {}", line.text(), push.text())) }
}

/// Looks until there is no complaint any more.
async fn agree(mut look: impl FnMut() -> Result<(), String>) {
    let begun = clock::monotonic();
    while let Err(complaint) = look() {
        assert!(begun.elapsed() < WATCHDOG, "waited in vain: {complaint}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One of the samples that print the latest ticks.
struct Latest {
    program: Vec<PathBuf>,
    segment: String,
    of_qamddata: bool,
}

// === impl Latest ===

impl Latest {
    fn all(workshop: &Workshop, fleet: &Fleet) -> [Self; 3] {
        let [depth, qamddata] = fleet.home().segments();
        let c = vec![workshop.c("depth_reader", "samples/depth_reader.c")];
        let boost = vec![workshop.boost("legacy_reader", "samples/legacy_reader.cpp")];
        let python = vec!["python3".into(), workspace().join("samples/depth.py")];
        [
            Self { program: c, segment: depth.clone(), of_qamddata: false },
            Self { program: python, segment: depth, of_qamddata: false },
            Self { program: boost, segment: qamddata, of_qamddata: true },
        ]
    }

    /// Runs it until it shows these pushes, in this order.
    async fn show(&self, names: &[&str], pushes: &[&Push]) {
        agree(|| {
            let mut command = Command::new(&self.program[0]);
            command.args(&self.program[1..]).args(["--segment", &self.segment]).args(names);
            let ended = run(&mut command);
            assert_eq!((ended.code, ended.complaints.as_str()), (Some(0), ""), "{command:?}");
            if ended.lines.len() != pushes.len() {
                return Err(format!("{command:?} says {:?}", ended.lines));
            }
            let mut both = ended.lines.iter().zip(pushes);
            both.try_for_each(|(line, push)| shows(line, push, self.of_qamddata))
        })
        .await;
    }
}

/// Both samples that follow the ring, each twice: all of it, and what is named. Nothing that is published any more can be
/// missed by them.
struct Followers(Vec<(Vec<&'static str>, Program)>);

// === impl Followers ===

impl Followers {
    fn start(workshop: &Workshop, fleet: &Fleet) -> Self {
        let library = built("libqamd_reader.so");
        let folder = library.parent().unwrap();
        let links = ["-std=c++17", "samples/tick_follower.cpp", "-L", folder.to_str().unwrap()];
        let links = [&links[..], &["-lqamd_reader"]].concat();
        let follower = workshop.compile("tick_follower", "g++", &links);
        let cpp = || {
            let mut command = Command::new(&follower);
            command.env("LD_LIBRARY_PATH", folder);
            command
        };
        let python = || {
            let mut command = Command::new("python3");
            command.arg(workspace().join("samples/follow.py")).arg("--library").arg(&library);
            command
        };
        let begin = |(mut command, names): (Command, Vec<&'static str>)| {
            command.args(["--instance", fleet.home().instance().as_str(), "--runtime-dir"]);
            let mut program = Program::start(command.arg(fleet.paths().runtime_dir()).args(&names));
            assert_eq!(program.word(), "following");
            (names, program)
        };
        let all = [
            (cpp(), vec![]),
            (cpp(), vec!["SHFE.rb2605", "SR605"]),
            (python(), vec![]),
            (python(), vec!["rb2605", "CZCE.SPD SR605&SR609", "m2605"]),
        ];
        Self(all.into_iter().map(begin).collect())
    }

    /// Each prints every tick that it was asked for, of each instrument in the order in which a client saw them. With
    /// several connections the snapshot of the second may come once more.
    fn assert_see(&mut self, seen: &BTreeMap<String, Vec<Push>>, copies: u32) {
        for (names, program) in &mut self.0 {
            let is_wanted = |instrument: &str| {
                names.is_empty()
                    || names.iter().any(|name| name.rsplit('.').next() == Some(instrument))
            };
            let wanted = seen.iter().filter(|(instrument, _)| is_wanted(instrument));
            let mut at: BTreeMap<&str, usize> =
                wanted.map(|(name, _)| (name.as_str(), 0)).collect();
            let mut repeats = 0;
            while at.iter().any(|(name, at)| *at < seen[*name].len()) {
                let line = program.line();
                let name = parsed(&line).string("instrument").unwrap().to_owned();
                let place = at.get_mut(name.as_str()).unwrap_or_else(|| panic!("unasked: {line}"));
                let pushes = &seen[&name];
                let next = pushes.get(*place).ok_or("there is no more".to_owned());
                match next.and_then(|push| shows(&line, push, false)) {
                    Ok(()) => *place += 1,
                    Err(_) if *place > 0 && shows(&line, &pushes[*place - 1], false).is_ok() => {
                        repeats += 1;
                    }
                    Err(complaint) => panic!("{names:?}: {complaint}"),
                }
            }
            let most = at.len() * (copies as usize - 1);
            assert!(repeats <= most, "{names:?}: {repeats} ticks were printed twice");
        }
    }

    /// They end with the fleet, and say that they lost nothing.
    fn assert_end(self) {
        for (_, mut program) in self.0 {
            assert!(program.word().contains("stopped"), "it says why");
            let last_words = program.word();
            assert!(last_words.starts_with("lost 0, "), "{last_words}");
            assert_eq!(program.end().0.code(), Some(1));
        }
    }
}

/// A fleet that sends every row of the sample, each over so many connections, once all is subscribed, and then stands still.
async fn fleet_of_the_sample(copies: u32) -> Fleet {
    let home = Home::new();
    let file = home.write("sample.csv", sample());
    // Each connection has two instruments, and begins when it has both.
    let replay = json!({"file": file, "rate": 100, "await_subscriptions": 2});
    let mut plan = FleetPlan::in_home(home).instruments(LISTED).set("redundancy", copies);
    let names = ["alpha", "beta", "gamma", "delta"];
    for (number, name) in names[..2 * copies as usize].iter().enumerate() {
        plan = plan.connection(json!({
            "connection_id": name,
            "broker_id": format!("100{number}"),
            "env": {"QAMD_SIM": json!({"replay": replay}).to_string()},
        }));
    }
    plan.start_ready().await
}

/// The sample recording, and at its end a row of a limit-up market and one of a combination that has not traded: prices that
/// are unknown stay in sight when the market stands still.
fn sample() -> String {
    let mut text = std::fs::read_to_string(recordings::own_sample()).unwrap();
    let header: Vec<String> = text.lines().next().unwrap().split(',').map(str::to_owned).collect();
    let place = |column| header.iter().position(|name| name == column).unwrap();
    for (instrument, unknown) in [("rb2605", "AskPrice1"), ("SPD SR605&SR609", "LastPrice")] {
        let mut rows = text.lines().map(|row| row.split(',').collect::<Vec<_>>());
        let last = rows.rfind(|row| row[place("InstrumentID")] == instrument).unwrap();
        let mut row: Vec<String> = last.into_iter().map(str::to_owned).collect();
        let volume: i64 = row[place("Volume")].parse().unwrap();
        row[place("Volume")] = (volume + 1).to_string();
        row[place(unknown)].clear();
        text.push_str(&format!("{}\n", row.join(",")));
    }
    text
}

/// How many rows it has of each instrument.
fn rows_of_the_sample() -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for row in sample().lines().skip(1) {
        *rows.entry(row.split(',').nth(1).unwrap().to_owned()).or_default() += 1;
    }
    rows
}

async fn the_samples_agree_with_a_client(copies: u32) {
    let fleet = fleet_of_the_sample(copies).await;
    let workshop = Workshop::new();
    let latest = Latest::all(&workshop, &fleet);
    // There are no ticks yet, but places for them.
    for sample in &latest[..2] {
        sample.show(&[], &[]).await;
    }
    let rows = rows_of_the_sample();
    let mut followers = Followers::start(&workshop, &fleet);
    let mut client = fleet.client().await;
    client.subscribe(&TRADED.map(|(instrument, _)| instrument)).await;
    let mut seen: BTreeMap<String, Vec<Push>> = BTreeMap::new();
    for _ in 0..rows.values().sum() {
        let push = client.next_push().await;
        seen.entry(push.instrument().to_owned()).or_default().push(push);
    }
    for (name, pushes) in &seen {
        let volumes: Vec<i64> = pushes.iter().map(Push::volume).collect();
        assert!(volumes.is_sorted() && volumes.len() == rows[name], "{name}: {volumes:?}");
    }
    followers.assert_see(&seen, copies);

    let last: Vec<&Push> = TRADED.iter().map(|(name, _)| seen[*name].last().unwrap()).collect();
    assert_eq!((last[0].number("ask_price1"), last[3].number("last_price")), (None, None));
    let [c, python, boost] = &latest;
    let keys = TRADED.map(|(_, key)| key);
    let mixed = ["SHFE.rb2605", "m2605", "SR605", "CZCE.SPD SR605&SR609"];
    for (sample, names) in [(c, mixed), (c, keys), (python, mixed), (python, keys), (boost, keys)] {
        sample.show(&names, &last).await;
    }
    // Who names none sees all that has ticked, in the order of the list.
    for sample in [c, python] {
        sample.show(&[], &last).await;
    }
    let program = workshop.boost("old_reader", "tests/e2e/programs/old_reader.cpp");
    let mut old = Program::start(Command::new(program).arg(&fleet.home().segments()[1]));
    for (key, facts) in FACTS {
        let push = TRADED.iter().position(|(_, of)| *of == key).map(|at| last[at]);
        assert_has(&mut old, key, facts, push);
    }
    drop(old);
    stopped_under(fleet, followers).await;
}

/// Every field of `qamddata` says what the operator's file or the client's message says.
fn assert_has(old: &mut Program, key: &str, facts: [Option<f64>; 6], push: Option<&Push>) {
    assert_eq!(old.ask(&format!("find {key}")), "found");
    let cells = parsed(&old.ask(&format!("get {key}")));
    let names =
        ["expired", "product_class", "volume_multiple", "price_tick", "margin", "commission"];
    assert_eq!(names.map(|name| cells.number(name)), facts, "{}", cells.text());
    for (name, of_push) in PRICES {
        let price = push.and_then(|push| push.number(of_push));
        assert_eq!(
            cells.number(name).map(f64::to_bits),
            price.map(f64::to_bits),
            "{name} of {key}"
        );
    }
}

/// Stops the fleet while programs follow it.
async fn stopped_under(mut fleet: Fleet, followers: Followers) {
    processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    followers.assert_end();
    fleet.assert_nothing_left();
}

#[tokio::test]
async fn the_samples_agree_with_a_client_of_one_connection_each() {
    the_samples_agree_with_a_client(1).await;
}

#[tokio::test]
async fn the_samples_agree_with_a_client_of_two_connections_each() {
    the_samples_agree_with_a_client(2).await;
}

#[tokio::test]
async fn an_instrument_learned_during_the_day_is_there_with_its_first_tick() {
    // One snapshot, and then nothing for a quarter of an hour.
    let fleet = FleetPlan::new()
        .instruments("instrument_id\nrb2601\n")
        .simulated("alpha", &json!({"rate": 0.001}))
        .start_ready()
        .await;
    let workshop = Workshop::new();
    let [depth, qamddata] = fleet.home().segments();
    let probe = workshop.c("probe", "tests/abi/programs/depth_probe.c");
    let mut probe = Program::start(&mut Command::new(probe));
    let old = workshop.boost("old_reader", "tests/e2e/programs/old_reader.cpp");
    let mut old = Program::start(Command::new(old).arg(&qamddata));
    assert_eq!(probe.ask(&format!("open {depth}")), "0");
    assert_eq!(probe.ask("find DCE.m2605"), "-1");
    assert_eq!(
        (old.ask("find SHFE.rb2601"), old.ask("find DCE.m2605")),
        ("found".into(), "none".into())
    );

    // More than get their places in qamddata before their snapshots come.
    let learned = ["m2605", "m2607", "m2609", "m2611", "y2605", "y2607", "y2609", "p2605", "p2609"];
    let mut client = fleet.client().await;
    client.subscribe(&learned).await;
    let mut pushes = BTreeMap::new();
    while pushes.len() < learned.len() {
        let push = client.next_push().await;
        pushes.insert(push.instrument().to_owned(), push);
    }
    for instrument in learned {
        let question = format!("find DCE.{instrument}");
        let there = eventually("a place", async || (probe.ask(&question) != "-1").then_some(()));
        there.await;
    }
    assert_eq!(probe.ask("current"), "1");
    let last = learned.map(|instrument| &pushes[instrument]);
    let keys = learned.map(|instrument| format!("DCE.{instrument}"));
    let keys = keys.each_ref().map(String::as_str);
    let [c, python, boost] = &Latest::all(&workshop, &fleet);
    c.show(&learned, &last).await;
    python.show(&keys, &last).await;

    // Who has the other segment mapped finds them there, with their prices though the market stands still.
    for key in keys {
        let question = format!("find {key}");
        let there = eventually("the key", async || (old.ask(&question) == "found").then_some(()));
        there.await;
    }
    boost.show(&keys, &last).await;
    let unlisted = [Some(0.0), Some(1.0), Some(0.0), None, None, None];
    for (key, push) in keys.iter().zip(last) {
        assert_has(&mut old, key, unlisted, Some(push));
    }
    drop((old, probe));
    fleet.stop().await;
}
