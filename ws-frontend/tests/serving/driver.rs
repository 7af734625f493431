//! The driver without the tasks around it: when one of them is gone, it says which, instead of asking it for ever.

use std::rc::Rc;

use qamd_ws_frontend::bell::Bell;
use qamd_ws_frontend::driver::{Channels, Driver, DriverError, Task};
use qamd_ws_frontend::hub::Hub;
use qamd_ws_frontend::latest_ticks::LatestTicks;
use qamd_ws_frontend::listener::TurnedAway;
use shm_layout::ring::{Drained, RingError, TickSource, WakeReader, remove_remains};
use shm_layout::{FleetPaths, Tick, TradingCalendar, TradingHours};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::stage::{fresh_paths, within};

/// The driver over a ring without ticks.
fn driver(
    paths: &FleetPaths,
    bell: Bell,
    channels: Channels,
    listener: &JoinHandle<()>,
) -> Driver<Empty> {
    let hub = Hub::new(TradingHours::new(TradingCalendar::default()));
    Driver::new(Empty, LatestTicks::of(paths), bell, channels, listener.abort_handle(), hub)
}

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

/// Runs a driver one of whose tasks is gone from the start, or ends while it sleeps.
async fn outcome_without(gone: Task, while_asleep: bool) -> Result<(), DriverError> {
    let paths = fresh_paths();
    let bell = Bell::new(WakeReader::open(&paths).unwrap()).unwrap();
    let (to_hub, inputs) = mpsc::channel(1);
    let (from_control, from_coordinator) = mpsc::channel(1);
    let (to_coordinator, _outgoing) = mpsc::channel(1);
    let (ring_stop, stop) = mpsc::channel(1);
    let turned_away = Rc::new(TurnedAway::default());
    let (to_catalog, _asked) = mpsc::channel(1);
    let (answers, from_catalog) = mpsc::channel(1);
    let channels = Channels {
        inputs,
        from_coordinator,
        to_coordinator,
        stop,
        to_catalog,
        from_catalog,
        turned_away,
    };
    let listener = tokio::spawn(std::future::pending::<()>());
    let driver = driver(&paths, bell, channels, &listener);
    let mut ends = (Some(to_hub), Some(from_control), Some(ring_stop), Some(answers));
    let dies = async {
        if while_asleep {
            tokio::task::yield_now().await;
        }
        match gone {
            Task::Listener => drop(ends.0.take()),
            Task::ControlConnection => drop(ends.1.take()),
            Task::Signals => drop(ends.2.take()),
            Task::Catalog => drop(ends.3.take()),
        }
    };
    let (outcome, ()) = if while_asleep {
        tokio::join!(within("the driver's end", driver.run()), dies)
    } else {
        dies.await;
        (within("the driver's end", driver.run()).await, ())
    };
    listener.abort();
    remove_remains(&paths).unwrap();
    std::fs::remove_dir_all(paths.runtime_dir()).unwrap();
    outcome
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
    let paths = fresh_paths();
    let bell = Bell::new(WakeReader::open(&paths).unwrap()).unwrap();
    let (_of_a_connection, inputs) = mpsc::channel(1);
    let (_control, from_coordinator) = mpsc::channel(1);
    let (to_coordinator, _outgoing) = mpsc::channel(1);
    let (_signals, stop) = mpsc::channel(1);
    let turned_away = Rc::new(TurnedAway::default());
    let (to_catalog, _asked) = mpsc::channel(1);
    let (_answers, from_catalog) = mpsc::channel(1);
    let channels = Channels {
        inputs,
        from_coordinator,
        to_coordinator,
        stop,
        to_catalog,
        from_catalog,
        turned_away,
    };
    let listener = tokio::spawn(std::future::pending::<()>());
    let driver = driver(&paths, bell, channels, &listener);
    listener.abort();
    let outcome = within("the driver's end", driver.run()).await;
    assert!(matches!(outcome, Err(DriverError::TaskGone(Task::Listener))), "{outcome:?}");
    remove_remains(&paths).unwrap();
    std::fs::remove_dir_all(paths.runtime_dir()).unwrap();
}

#[tokio::test]
async fn told_to_stop_it_stops_though_who_told_it_is_gone() {
    let paths = fresh_paths();
    let bell = Bell::new(WakeReader::open(&paths).unwrap()).unwrap();
    let (_to_hub, inputs) = mpsc::channel(1);
    let (_control, from_coordinator) = mpsc::channel(1);
    let (to_coordinator, _outgoing) = mpsc::channel(1);
    let (ring_stop, stop) = mpsc::channel(1);
    let turned_away = Rc::new(TurnedAway::default());
    let (to_catalog, _asked) = mpsc::channel(1);
    let (_answers, from_catalog) = mpsc::channel(1);
    let channels = Channels {
        inputs,
        from_coordinator,
        to_coordinator,
        stop,
        to_catalog,
        from_catalog,
        turned_away,
    };
    let listener = tokio::spawn(std::future::pending::<()>());
    let driver = driver(&paths, bell, channels, &listener);
    ring_stop.send(()).await.unwrap();
    drop(ring_stop);
    within("the driver's end", driver.run()).await.unwrap();
    remove_remains(&paths).unwrap();
    std::fs::remove_dir_all(paths.runtime_dir()).unwrap();
}
