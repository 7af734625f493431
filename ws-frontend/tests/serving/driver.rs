//! The driver without the tasks around it: when one of them is gone, it says which, instead of asking it for ever.

use std::rc::Rc;

use qamd_ws_frontend::bell::Bell;
use qamd_ws_frontend::catalog_thread::{Answered, ToCatalog};
use qamd_ws_frontend::connection::Input;
use qamd_ws_frontend::demand_client::{FromCoordinator, ToCoordinator};
use qamd_ws_frontend::driver::{Channels, Driver, DriverError, Task};
use qamd_ws_frontend::hub::Hub;
use qamd_ws_frontend::latest_ticks::LatestTicks;
use qamd_ws_frontend::listener::TurnedAway;
use qamd_ws_frontend::session::QueryToken;
use shm_layout::ring::{Drained, RingError, TickSource, WakeReader, remove_remains};
use shm_layout::{FleetPaths, Tick, TradingCalendar, TradingHours};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::stage::{fresh_paths, within};

/// A ring without ticks.
struct Empty;

impl TickSource for Empty {
    fn drain(&mut self, _most: usize, _each: &mut dyn FnMut(&Tick)) -> Result<Drained, RingError> {
        Ok(Drained::default())
    }

    fn has_ticks(&self) -> bool {
        false
    }
}

/// A driver over a ring without ticks, and the tasks around it, which do nothing.
struct Stage {
    paths: FleetPaths,
    driver: Driver<Empty>,
    listener: JoinHandle<()>,
    ends: Ends,
}

/// The tasks' ends of the driver's channels, as long as they are there.
struct Ends {
    connections: Option<mpsc::Sender<Input>>,
    control: Option<mpsc::Sender<FromCoordinator>>,
    catalog: Option<mpsc::Sender<Answered<QueryToken>>>,
    signals: Option<mpsc::Sender<()>>,
    _to_coordinator: mpsc::Receiver<ToCoordinator>,
    _to_catalog: mpsc::Receiver<ToCatalog<QueryToken>>,
}

impl Stage {
    fn new() -> Self {
        let paths = fresh_paths();
        let bell = Bell::new(WakeReader::open(&paths).unwrap()).unwrap();
        let (connections, inputs) = mpsc::channel(1);
        let (control, from_coordinator) = mpsc::channel(1);
        let (to_coordinator, _to_coordinator) = mpsc::channel(1);
        let (to_catalog, _to_catalog) = mpsc::channel(1);
        let (catalog, from_catalog) = mpsc::channel(1);
        let (signals, stop) = mpsc::channel(1);
        let channels = Channels {
            inputs,
            from_coordinator,
            to_coordinator,
            stop,
            to_catalog,
            from_catalog,
            turned_away: Rc::new(TurnedAway::default()),
        };
        let listener = tokio::spawn(std::future::pending::<()>());
        let hub = Hub::new(TradingHours::new(TradingCalendar::default()));
        let latest = LatestTicks::of(&paths);
        let driver = Driver::new(Empty, latest, bell, channels, listener.abort_handle(), hub);
        let ends = Ends {
            connections: Some(connections),
            control: Some(control),
            catalog: Some(catalog),
            signals: Some(signals),
            _to_coordinator,
            _to_catalog,
        };
        Self { paths, driver, listener, ends }
    }

    /// Runs the driver to its end, and `meanwhile` beside it.
    async fn run(mut self, meanwhile: impl AsyncFnOnce(&mut Ends)) -> Result<(), DriverError> {
        let driven = within("the driver's end", self.driver.run());
        let (outcome, ()) = tokio::join!(driven, meanwhile(&mut self.ends));
        self.listener.abort();
        remove_remains(&self.paths).unwrap();
        std::fs::remove_dir_all(self.paths.runtime_dir()).unwrap();
        outcome
    }
}

impl Ends {
    fn lose(&mut self, task: Task) {
        match task {
            Task::Listener => self.connections = None,
            Task::ControlConnection => self.control = None,
            Task::Signals => self.signals = None,
            Task::Catalog => self.catalog = None,
        }
    }
}

/// How a driver ends that loses one of the tasks before it begins, or while it sleeps.
async fn outcome_without(gone: Task, while_asleep: bool) -> Result<(), DriverError> {
    let mut stage = Stage::new();
    if !while_asleep {
        stage.ends.lose(gone);
    }
    let lose = async |ends: &mut Ends| {
        tokio::task::yield_now().await;
        ends.lose(gone);
    };
    stage.run(lose).await
}

#[tokio::test]
async fn a_task_that_is_gone_ends_the_driver_with_its_name() {
    for task in [Task::Listener, Task::ControlConnection, Task::Signals, Task::Catalog] {
        for while_asleep in [false, true] {
            let outcome = outcome_without(task, while_asleep).await;
            let Err(DriverError::TaskGone(named)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(named, task, "while asleep: {while_asleep}");
        }
    }
}

#[tokio::test]
async fn a_listener_that_is_gone_is_noticed_though_its_channel_stays_open() {
    let stage = Stage::new();
    stage.listener.abort();
    let outcome = stage.run(async |_| ()).await;
    assert!(matches!(outcome, Err(DriverError::TaskGone(Task::Listener))), "{outcome:?}");
}

#[tokio::test]
async fn told_to_stop_it_stops_though_who_told_it_is_gone() {
    let mut stage = Stage::new();
    let signals = stage.ends.signals.take().unwrap();
    signals.send(()).await.unwrap();
    drop(signals);
    stage.run(async |_| ()).await.unwrap();
}
