//! A client that reads all the time, whatever else a test waits for, and counts what it misses.

use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, is_settled};
use shm_layout::control::FleetStatus;

use crate::scripts::Follower;

/// So many instruments of one product.
pub(crate) fn instruments(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("rb{}", 2601 + number)).collect()
}

/// As most functions take them.
pub(crate) fn names(instruments: &[String]) -> Vec<&str> {
    instruments.iter().map(String::as_str).collect()
}

/// A client of a recording in step, its instruments, and what it has seen of them.
#[derive(Debug)]
pub(crate) struct Onlooker {
    client: Client,
    follower: Follower,
    instruments: Vec<String>,
}

impl Onlooker {
    /// A client that wants these, once all tick.
    pub(crate) async fn of(fleet: &Fleet, instruments: &[&str]) -> Self {
        let mut client = fleet.client().await;
        client.subscribe(instruments).await;
        let instruments = instruments.iter().map(|name| (*name).to_owned()).collect();
        let mut onlooker = Self { client, follower: Follower::default(), instruments };
        let count = onlooker.count();
        onlooker.until_settled(fleet, count, 1).await;
        onlooker.advance(3).await;
        assert_eq!(onlooker.jumps(), 0, "the workers replay in step: {onlooker:?}");
        onlooker
    }

    /// How many instruments it wants.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.instruments.len()).unwrap()
    }

    /// Reads until something else is done.
    pub(crate) async fn during<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! {
                biased;
                done = &mut other => return done,
                () = self.follower.step(&mut self.client) => {}
            }
        }
    }

    /// Reads until the status fits.
    pub(crate) async fn until(
        &mut self,
        fleet: &Fleet,
        what: &str,
        fits: impl FnMut(&FleetStatus) -> bool,
    ) -> FleetStatus {
        self.during(fleet.status_when(what, fits)).await
    }

    /// Reads until so many instruments tick on so many connections each and nothing moves any more.
    pub(crate) async fn until_settled(
        &mut self,
        fleet: &Fleet,
        instruments: u32,
        copies: u32,
    ) -> FleetStatus {
        let fits = |status: &FleetStatus| is_settled(status, instruments, copies);
        self.until(fleet, "everything ticks where it is to stay", fits).await
    }

    /// Reads so many further ticks of every instrument.
    pub(crate) async fn advance(&mut self, more: u64) {
        let names: Vec<&str> = self.instruments.iter().map(String::as_str).collect();
        self.follower.advance(&mut self.client, &names, more).await;
    }

    /// How often ticks of an instrument were missed, however many at a time.
    pub(crate) fn jumps_of(&self, instrument: &str) -> u64 {
        self.follower.jumps(instrument)
    }

    /// How often ticks were missed, over all instruments.
    pub(crate) fn jumps(&self) -> u64 {
        self.instruments.iter().map(|name| self.jumps_of(name)).sum()
    }

    /// The instruments of which ticks were missed.
    pub(crate) fn jumped(&self) -> Vec<&str> {
        let names = self.instruments.iter().map(String::as_str);
        names.filter(|name| self.jumps_of(name) > 0).collect()
    }
}
