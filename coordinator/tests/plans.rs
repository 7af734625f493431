//! Boards and the plans that lead on from them, as files that a person can check.
//!
//! `plans/NAME.json` is a board, `plans/NAME.plan` what is to be done about it: the steps in order, then what waits for
//! room, how many instruments have fewer copies than asked for, and how many of the steps begin a move for balance alone.
//! With `QAMD_BLESS=1` the test writes what was planned into the file instead of comparing it; a reviewer then reads the
//! difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qamd::planner::{
    Acceptance, Board, CopyState, Item, ItemIndex, Plan, Policy, Seat, SeatIndex, Step, hash_of,
    plan,
};
use serde::Deserialize;
use shm_layout::BrokerId;

/// A board as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is to be seen.
    about: String,
    strategy: String,
    #[serde(default = "one")]
    redundancy: usize,
    #[serde(default)]
    voluntary_moves: usize,
    /// In the order of the configuration.
    connections: Vec<Connection>,
    /// In the order of service.
    instruments: Vec<Instrument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    id: String,
    broker: String,
    max_subscriptions: usize,
    #[serde(default)]
    priority: u32,
    #[serde(default)]
    standing: Standing,
    #[serde(default = "full_marks")]
    quality: f64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Standing {
    #[default]
    Good,
    Probation,
    Away,
    Draining,
    Closed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instrument {
    id: String,
    /// Each a connection, then what there is to say of the copy: `alpha ticking primary`.
    #[serde(default)]
    copies: Vec<String>,
    /// Connections whose fronts said yes and sent nothing.
    #[serde(default)]
    silent_at: Vec<String>,
    /// Connections whose fronts refuse it for good.
    #[serde(default)]
    refused_by: Vec<String>,
    #[serde(default)]
    unwanted: bool,
    #[serde(default)]
    parked: bool,
}

const fn one() -> usize {
    1
}

const fn full_marks() -> f64 {
    100.0
}

impl Standing {
    /// Whether such a connection accepts new copies, keeps those it has, and carries any.
    const fn means(&self) -> (Acceptance, bool, bool) {
        match self {
            Self::Good => (Acceptance::First, true, true),
            Self::Probation => (Acceptance::Second, true, true),
            Self::Away => (Acceptance::Last, false, true),
            Self::Draining => (Acceptance::Never, false, true),
            Self::Closed => (Acceptance::Never, false, false),
        }
    }
}

impl Connection {
    fn seat(&self) -> Seat {
        let (accepts, keeps, carries) = self.standing.means();
        Seat {
            capacity: self.max_subscriptions,
            load: 0,
            priority: self.priority,
            broker: BrokerId::parse(&self.broker).expect("a broker's id"),
            accepts,
            keeps,
            carries,
            proven: true,
            quality: self.quality,
            seed: hash_of(&self.id),
        }
    }
}

impl Case {
    fn seat_named(&self, id: &str) -> SeatIndex {
        let at = self.connections.iter().position(|connection| connection.id == id);
        at.unwrap_or_else(|| panic!("{id} is no connection")).try_into().expect("a few seats")
    }

    fn item(&self, rank: u64, instrument: &Instrument) -> Item {
        let seats = |ids: &[String]| -> Vec<SeatIndex> {
            ids.iter().map(|id| self.seat_named(id)).collect()
        };
        let refused_by = seats(&instrument.refused_by);
        let banned = [seats(&instrument.silent_at), refused_by.clone()].concat();
        let mut item = Item {
            rank,
            wanted: !instrument.unwanted,
            parked: instrument.parked,
            hash: hash_of(&instrument.id),
            banned,
            refused_by,
            ..Item::default()
        };
        for copy in &instrument.copies {
            let mut words = copy.split_whitespace();
            let seat = self.seat_named(words.next().expect("a connection"));
            assert!(item.copies.add(seat), "{} is there twice", instrument.id);
            let made = item.copies.on_mut(seat).expect("just added");
            for word in words {
                match word {
                    "primary" => made.primary = true,
                    "leaving" => made.leaving = true,
                    state => made.state = state_named(state),
                }
            }
        }
        item
    }

    fn board(&self) -> Board {
        let mut board = Board {
            seats: self.connections.iter().map(Connection::seat).collect(),
            items: (1..).zip(&self.instruments).map(|(rank, one)| self.item(rank, one)).collect(),
            turn: 0,
        };
        for copy in board.items.iter().flat_map(|item| item.copies.iter()) {
            board.seats[usize::from(copy.seat)].load += 1;
        }
        board
    }

    fn policy(&self) -> Policy {
        Policy {
            strategy: self.strategy.parse().expect("a strategy"),
            redundancy: self.redundancy,
            voluntary_moves: self.voluntary_moves,
        }
    }

    fn in_words(&self, plan: &Plan) -> String {
        let instrument = |index: ItemIndex| &self.instruments[index as usize].id;
        let connection = |seat: SeatIndex| &self.connections[usize::from(seat)].id;
        let step_in_words = |step: &Step| match *step {
            Step::Add(item, seat) => format!("add {} -> {}", instrument(item), connection(seat)),
            Step::Return(item, seat) => {
                format!("return {} -> {}", instrument(item), connection(seat))
            }
            Step::Leave(item, seat) => {
                format!("leave {} <- {}", instrument(item), connection(seat))
            }
            Step::Drop(item, seat) => format!("drop {} <- {}", instrument(item), connection(seat)),
        };
        let mut lines: Vec<String> = plan.steps.iter().map(step_in_words).collect();
        let waiting = plan.waiting.iter().map(|index| format!(" {}", instrument(*index)));
        lines.push(format!("waiting:{}", waiting.collect::<String>()));
        lines.push(format!("short: {}", plan.short));
        lines.push(format!("voluntary: {}", plan.voluntary));
        lines.join("\n") + "\n"
    }
}

fn state_named(word: &str) -> CopyState {
    match word {
        "unknown" => CopyState::Unknown,
        "waiting" => CopyState::Waiting,
        "requested" => CopyState::Requested,
        "acknowledged" => CopyState::Acknowledged,
        "ticking" => CopyState::Ticking,
        "silent" => CopyState::Silent,
        "refused" => CopyState::Refused,
        other => panic!("{other} says nothing of a copy"),
    }
}

/// Takes the steps one by one: no seat is overfilled by any of them.
fn check_capacities(name: &str, board: &Board, plan: &Plan) {
    let mut loads: Vec<usize> = board.seats.iter().map(|seat| seat.load).collect();
    for step in &plan.steps {
        match *step {
            Step::Add(_, seat) => {
                loads[usize::from(seat)] += 1;
                let capacity = board.seats[usize::from(seat)].capacity;
                assert!(loads[usize::from(seat)] <= capacity, "{name}: {step:?} overfills");
            }
            Step::Drop(_, seat) => loads[usize::from(seat)] -= 1,
            Step::Return(..) | Step::Leave(..) => {}
        }
    }
}

fn cases() -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let files = std::fs::read_dir(folder).expect("the cases").map(|file| file.expect("a file"));
    let mut named = BTreeMap::new();
    for path in files.map(|file| file.path()) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") {
            named.insert(name, path);
        } else {
            assert!(path.with_extension("json").exists(), "{name} has a plan and no board");
        }
    }
    named
}

#[test]
fn every_board_leads_to_its_plan() {
    let bless = std::env::var_os("QAMD_BLESS").is_some();
    let cases = cases();
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    let mut wrong = String::new();
    for (name, path) in cases {
        let text = std::fs::read_to_string(&path).expect("a board");
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(!case.about.is_empty(), "{name} does not say what is to be seen");
        let board = case.board();
        let made = plan(&board, &case.policy());
        check_capacities(&name, &board, &made);
        let made = case.in_words(&made);
        let file = path.with_extension("plan");
        if bless {
            std::fs::write(&file, made).expect("the plan is written");
        } else {
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            if made != expected {
                wrong +=
                    &format!("{name}: {}\nplanned:\n{made}expected:\n{expected}\n", case.about);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
