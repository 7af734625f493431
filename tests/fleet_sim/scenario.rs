//! What a seed says of the fleet, its brokers and its market before anything happens (pure).

use std::collections::BTreeSet;
use std::time::Duration;

use qamd::config::Strategy;
use shm_layout::{BrokerId, ConnectionId, InstrumentId, TradingCalendar, TradingHours};

use crate::random::Random;

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing fails: clients come and go, a person does things, the coordinator is exchanged. Not one tick may be lost.
    Gentle,
    /// Everything.
    Rough,
}

/// When the market is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Market {
    /// Never.
    Closed,
    /// Around the clock.
    Open,
    /// In the sessions of a day, with their pauses.
    Sessions,
}

/// What is wrong with this simulation on purpose, so that the checks are known to bite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Nothing.
    None,
    /// Workers do not hear that they are to release something.
    DeafToReleases,
    /// A coordinator that was killed stays dead.
    NoNextCoordinator,
    /// Workers say that they have taken an assignment, and take it later.
    TakenEarly,
    /// Workers say that an instrument ticks as soon as the front says yes.
    TicksEarly,
    /// Workers and coordinator believe that a front takes more than it does.
    Greedy,
    /// Frontends do not hear that a connection is up again.
    DeafToFrontsUp,
}

/// One connection as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionSection {
    pub(crate) id: ConnectionId,
    pub(crate) broker: BrokerId,
    pub(crate) capacity: u32,
    pub(crate) priority: u32,
    pub(crate) enabled: bool,
}

/// The configuration as it is written.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    pub(crate) connections: Vec<ConnectionSection>,
    pub(crate) always_on: Vec<InstrumentId>,
    pub(crate) strategy: Strategy,
    pub(crate) redundancy: usize,
    pub(crate) auto_failover: bool,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) defect: Defect,
    pub(crate) mood: Mood,
    pub(crate) file: ConfigFile,
    pub(crate) instruments: Vec<InstrumentId>,
    /// Wanted by clients from the start.
    pub(crate) wanted: Vec<InstrumentId>,
    /// Fronts say yes to these and never send them.
    pub(crate) mute: BTreeSet<InstrumentId>,
    /// Fronts refuse these for good.
    pub(crate) refused: BTreeSet<(ConnectionId, InstrumentId)>,
    pub(crate) market: Market,
    /// Frontends compare the connections, and find them to differ.
    pub(crate) views: bool,
    pub(crate) health_check: Duration,
    pub(crate) quick_retries: u32,
    /// How often something happens.
    pub(crate) mishaps: usize,
    /// Fronts take so long at most to answer.
    pub(crate) front_delay: Duration,
    /// Words over control connections take so long at most.
    pub(crate) link_delay: Duration,
}

/// The instrument with this number.
pub(crate) fn instrument(number: usize) -> InstrumentId {
    InstrumentId::parse(&format!("i{number:02}")).expect("a short id")
}

/// The connection with this number, as a person would write it.
pub(crate) fn connection(number: usize, random: &mut Random, gentle: bool) -> ConnectionSection {
    let broker = if random.percent(30) { 0 } else { number };
    ConnectionSection {
        id: ConnectionId::parse(&format!("c{number}")).expect("a short id"),
        broker: BrokerId::parse(&format!("b{broker}")).expect("a short id"),
        capacity: u32::try_from(random.between(3, 12)).unwrap_or(3),
        priority: u32::try_from(random.between(1, 2)).unwrap_or(1),
        enabled: gentle || random.percent(92),
    }
}

// === impl Scenario ===

impl Scenario {
    /// What a seed says.
    pub(crate) fn new(seed: u64, defect: Defect) -> Self {
        let random = &mut Random::new(seed);
        let mood = if random.percent(20) { Mood::Gentle } else { Mood::Rough };
        let gentle = mood == Mood::Gentle;
        let count = random.between(if gentle { 3 } else { 2 }, 6);
        let connections: Vec<_> = (0..count).map(|n| connection(n, random, gentle)).collect();
        let redundancy = if gentle { 1 } else { [1, 1, 2, 3][random.below(4)] };
        let room: u32 = connections.iter().map(|section| section.capacity).sum();
        let most: u32 = connections.iter().map(|section| section.capacity).max().unwrap_or(0);
        // So that any one connection may be left at any time.
        let listed =
            if gentle { (room - most) as usize } else { random.between(5, 40) }.clamp(1, 40);
        let instruments: Vec<_> = (0..listed).map(instrument).collect();
        let share = random.between(20, 100);
        let wanted = instruments.iter().copied().filter(|_| random.percent(share)).collect();
        let always = if random.percent(50) { 0 } else { 15 };
        let always_on = instruments.iter().copied().filter(|_| random.percent(always)).collect();
        let strategies = [
            Strategy::ConnectionQuality,
            Strategy::RoundRobin,
            Strategy::LeastConnections,
            Strategy::HashBased,
        ];
        let file = ConfigFile {
            always_on,
            strategy: strategies[random.below(4)],
            redundancy,
            auto_failover: gentle || random.percent(75),
            connections,
        };
        let mut scenario = Self {
            seed,
            defect,
            mood,
            instruments,
            wanted,
            mute: BTreeSet::new(),
            refused: BTreeSet::new(),
            market: [Market::Closed, Market::Open, Market::Sessions][random.below(3)],
            views: random.percent(30),
            health_check: Duration::from_secs(random.between(5, 30) as u64),
            quick_retries: u32::try_from(random.below(4)).unwrap_or(0),
            mishaps: if gentle { random.between(3, 9) } else { random.between(4, 26) },
            front_delay: Duration::from_millis(if gentle {
                150
            } else {
                [20, 150, 900][random.below(3)]
            }),
            link_delay: Duration::from_millis(if gentle {
                3
            } else {
                [2, 20, 200][random.below(3)]
            }),
            file,
        };
        if !gentle {
            scenario.spoil(random);
        }
        scenario
    }

    /// What fronts do not have.
    fn spoil(&mut self, random: &mut Random) {
        let (mute, refused) = ([0, 0, 0, 5][random.below(4)], [0, 0, 0, 4, 15][random.below(5)]);
        // Connections that are added later are included.
        let ids: Vec<_> = (0..9).map(|n| connection(n, random, true).id).collect();
        for instrument in self.instruments.clone() {
            if random.percent(mute) {
                self.mute.insert(instrument);
            }
            for id in &ids {
                if random.percent(refused) {
                    self.refused.insert((*id, instrument));
                }
            }
        }
    }

    /// When instruments trade.
    pub(crate) fn hours(&self) -> TradingHours {
        let calendar = TradingCalendar::default();
        let text = match self.market {
            Market::Closed => "*,\n",
            Market::Open => "*,00:00-24:00\n",
            Market::Sessions => return TradingHours::new(calendar),
        };
        TradingHours::parse(text, calendar).expect("hours that can be read")
    }

    /// True when a front would send the instrument.
    pub(crate) fn sends(&self, connection: ConnectionId, instrument: InstrumentId) -> bool {
        !self.mute.contains(&instrument) && !self.refused.contains(&(connection, instrument))
    }

    /// In how many places the instrument is refused for good.
    pub(crate) fn refusals(&self, instrument: InstrumentId) -> usize {
        self.refused.iter().filter(|(_, refused)| *refused == instrument).count()
    }
}
