//! What goes wrong, and what people do, at any moment.

use std::time::Duration;

use qamd::fleet::ProcessId;
use shm_layout::control::ConnectionWish;

use crate::queue::{Event, Happening, Pid, Recovery};
use crate::scenario::{Defect, Mood, connection};
use crate::world::{World, traced};

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    KillWorker,
    StopWorker,
    KillFrontend,
    StopFrontend,
    KillCoordinator,
    HoldCoordinator,
    CutLine,
    CongestLine,
    BounceFront,
    FrontAway,
    SpoilFront,
    NewDay,
    Clients,
    Wish,
    Reload,
    Hours,
}

const ROUGH: [(Mishap, usize); 16] = [
    (Mishap::KillWorker, 12),
    (Mishap::StopWorker, 8),
    (Mishap::KillFrontend, 5),
    (Mishap::StopFrontend, 3),
    (Mishap::KillCoordinator, 9),
    (Mishap::HoldCoordinator, 3),
    (Mishap::CutLine, 8),
    (Mishap::CongestLine, 3),
    (Mishap::BounceFront, 10),
    (Mishap::FrontAway, 6),
    (Mishap::SpoilFront, 8),
    (Mishap::NewDay, 3),
    (Mishap::Clients, 14),
    (Mishap::Wish, 9),
    (Mishap::Reload, 6),
    (Mishap::Hours, 1),
];

const GENTLE: [(Mishap, usize); 4] =
    [(Mishap::Clients, 3), (Mishap::Wish, 5), (Mishap::Reload, 2), (Mishap::KillCoordinator, 2)];

impl World {
    /// The next mishap, and when the one after it comes.
    pub(crate) fn mishap(&mut self) {
        if self.mishaps_left == 0 {
            return;
        }
        self.mishaps_left -= 1;
        self.coarse = false;
        let gentle = self.scenario.mood == Mood::Gentle;
        let kinds: &[(Mishap, usize)] = if gentle { &GENTLE } else { &ROUGH };
        let mut place = self.random.below(kinds.iter().map(|(_, weight)| weight).sum());
        let chosen = kinds.iter().find(|(_, weight)| {
            let here = place < *weight;
            place = place.saturating_sub(*weight);
            here
        });
        if let Some((mishap, _)) = chosen {
            traced!(self, "mishap: {mishap:?}");
            self.befall(*mishap);
        }
        let pause = if gentle {
            self.random.millis(14_000, 30_000)
        } else {
            match self.random.below(10) {
                0..3 => self.random.millis(0, 60),
                3..7 => self.random.millis(60, 3_000),
                _ => self.random.millis(3_000, 20_000),
            }
        };
        let hours = if self.coarse { self.random.millis(600_000, 9_000_000) } else { pause };
        self.queue.push(self.now + hours, Event::Mishap);
    }

    fn befall(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::KillWorker => {
                if let Some(pid) = self.some_process(false) {
                    self.queue.push(self.now, Event::Killed(pid));
                }
            }
            Mishap::StopWorker => self.stop_one(false),
            Mishap::StopFrontend => self.stop_one(true),
            Mishap::KillFrontend => {
                if let Some(pid) = self.some_process(true) {
                    self.queue.push(self.now, Event::Killed(pid));
                }
            }
            Mishap::KillCoordinator => self.exchange_coordinator(),
            Mishap::HoldCoordinator => {
                let until = self.now + self.random.millis(100, 25_000);
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.held_until = until;
                }
            }
            Mishap::CutLine => {
                let links: Vec<_> = self.links.keys().copied().collect();
                if let Some(link) = self.random.one_of(&links) {
                    if self.random.percent(50) {
                        self.coordinator_hangs_up(link);
                    } else {
                        self.cut(link);
                    }
                }
            }
            Mishap::CongestLine => {
                let pids: Vec<Pid> = self.processes.keys().copied().collect();
                if let Some(pid) = self.random.one_of(&pids)
                    && let Some(process) = self.processes.get_mut(&pid)
                {
                    process.line.congested = true;
                    let at = self.now + self.random.millis(10, 4_000);
                    self.queue.push(at, Event::Recovery(Recovery::Uncongested(pid)));
                }
            }
            Mishap::BounceFront => self.cut_one_front(),
            Mishap::FrontAway => self.take_a_front_away(),
            Mishap::SpoilFront => self.spoil_a_front(),
            Mishap::NewDay => self.begin_a_day(),
            Mishap::Clients => self.clients_change(),
            Mishap::Wish => self.person_wishes(),
            Mishap::Reload => self.person_edits(),
            Mishap::Hours => self.coarse = true,
        }
    }

    fn some_process(&mut self, frontend: bool) -> Option<Pid> {
        let of_kind = |id: ProcessId| (id == ProcessId::Frontend) == frontend;
        let pids: Vec<Pid> = self
            .processes
            .iter()
            .filter(|(_, process)| of_kind(process.id))
            .map(|(pid, _)| *pid)
            .collect();
        self.random.one_of(&pids)
    }

    fn stop_one(&mut self, frontend: bool) {
        let Some(pid) = self.some_process(frontend) else { return };
        traced!(self, "{pid} is stopped");
        self.stop_process(pid);
        let pause = match self.random.below(3) {
            0 => self.random.millis(10, 3_000),
            1 => self.random.millis(3_000, 20_000),
            _ => self.random.millis(20_000, 120_000),
        };
        self.queue.push(self.now + pause, Event::Recovery(Recovery::Continue(pid)));
    }

    fn exchange_coordinator(&mut self) {
        self.kill_coordinator();
        if self.scenario.defect == Defect::NoNextCoordinator {
            return;
        }
        let pause = if self.scenario.mood == Mood::Gentle || self.random.percent(70) {
            self.random.millis(20, 3_000)
        } else {
            self.random.millis(3_000, 60_000)
        };
        self.queue.push(self.now + pause, Event::CoordinatorStarts);
    }

    fn cut_one_front(&mut self) {
        let Some(pid) = self.some_process(false) else { return };
        let link = self.processes[&pid].worker().map_or(0, |worker| worker.front.link);
        if self.random.percent(15) {
            return self.log_out(pid, link);
        }
        self.queue.push(self.now, Event::CutFront(pid, link));
    }

    fn take_a_front_away(&mut self) {
        let ids: Vec<_> = self.file.connections.iter().map(|section| section.id).collect();
        let Some(id) = self.random.one_of(&ids) else { return };
        self.front_of(id).reachable = false;
        let links: Vec<_> = self
            .workers()
            .filter(|(_, _, worker)| worker.section.id == id)
            .map(|(pid, _, worker)| (pid, worker.front.link))
            .collect();
        for (pid, link) in links {
            self.queue.push(self.now, Event::CutFront(pid, link));
        }
        let pause = if self.random.percent(80) {
            self.random.millis(1_000, 60_000)
        } else {
            self.random.millis(60_000, 4 * 3_600_000)
        };
        self.queue.push(self.now + pause, Event::Recovery(Recovery::FrontIsBack(id)));
    }

    fn spoil_a_front(&mut self) {
        let ids: Vec<_> = self.file.connections.iter().map(|section| section.id).collect();
        let Some(id) = self.random.one_of(&ids) else { return };
        let kind = self.random.below(7);
        let percent = self.random.between(10, 60);
        let slower_by = self.random.millis(500, 13_000);
        let mute_until = self.now + self.random.millis(3_000, 90_000);
        let front = self.front_of(id);
        match kind {
            0 => front.loses = percent,
            1 => front.refuses = percent,
            2 => front.refuses_logins = percent,
            3 => front.takes_no_calls = percent,
            4 => front.slower_by = slower_by,
            5 => front.refuses_for_good = true,
            _ => front.mute_until = mute_until,
        }
        let pause = self.random.millis(2_000, 90_000);
        self.queue.push(self.now + pause, Event::Recovery(Recovery::FrontIsSound(id)));
    }

    /// All fronts hang up one after the other, and are of the next day when they come back.
    fn begin_a_day(&mut self) {
        for id in self.fronts.keys().copied().collect::<Vec<_>>() {
            let front = self.front_of(id);
            front.trading_day = front.trading_day.plus_days(1);
        }
        let links: Vec<_> =
            self.workers().map(|(pid, _, worker)| (pid, worker.front.link)).collect();
        for (pid, link) in links {
            let at = self.now + self.random.millis(0, 5_000);
            self.queue.push(at, Event::CutFront(pid, link));
        }
    }

    fn clients_change(&mut self) {
        // Whoever holds the lock serves; one that was stopped before it could take it has no clients.
        let frontend = self.holder_of(None);
        let count = self.random.between(1, 6);
        let wanting = self.random.percent(55);
        for _ in 0..count {
            let Some(instrument) = self.random.one_of(&self.scenario.instruments) else { return };
            if wanting {
                self.clients.entry(instrument).or_insert(self.now);
            } else {
                self.clients.remove(&instrument);
            }
            traced!(self, "clients {} {instrument}", if wanting { "want" } else { "release" });
            if let Some(pid) = frontend {
                let at = self.now + Duration::from_micros(100);
                self.queue.push(at, Event::Process(pid, Happening::Client(instrument)));
            }
        }
    }

    fn person_wishes(&mut self) {
        let ids: Vec<_> = self.file.connections.iter().map(|section| section.id).collect();
        let Some(id) = self.random.one_of(&ids) else { return };
        let kind = self.random.below(5);
        let wish = match kind {
            0 => ConnectionWish::Drain,
            1 => ConnectionWish::Disable,
            2 => ConnectionWish::Restart,
            _ => ConnectionWish::Enable,
        };
        if self.scenario.mood == Mood::Gentle {
            // Only one at a time is out of use, so that there is always somewhere to go.
            let wishes = self.coordinator.as_ref().map(|coordinator| coordinator.wishes.clone());
            for (other, _) in wishes.unwrap_or_default() {
                if other != id {
                    self.wish(other, ConnectionWish::Enable);
                    return;
                }
            }
        }
        self.wish(id, wish);
    }

    fn person_edits(&mut self) {
        let gentle = self.scenario.mood == Mood::Gentle;
        let place = self.random.below(self.file.connections.len());
        match self.random.below(if gentle { 3 } else { 8 }) {
            0 if self.connections_made < 9 => {
                let mut section = connection(self.connections_made, &mut self.random, gentle);
                section.enabled = true;
                self.connections_made += 1;
                self.file.connections.push(section);
            }
            1 => {
                let other = self.random.between(1, 3);
                self.file.connections[place].priority = u32::try_from(other).unwrap_or(1);
            }
            2 => {
                let count = self.random.below(3);
                let all = &self.scenario.instruments;
                self.file.always_on = (0..count).filter_map(|_| self.random.one_of(all)).collect();
                self.file.always_on.sort_unstable();
                self.file.always_on.dedup();
            }
            3 if self.file.connections.len() > 1 => {
                self.file.connections.remove(place);
            }
            4 | 5 => {
                let other = self.random.between(3, 12);
                self.file.connections[place].capacity = u32::try_from(other).unwrap_or(3);
            }
            6 => self.file.connections[place].enabled ^= true,
            7 => self.file.redundancy = self.random.between(1, 3),
            _ => self.file.auto_failover ^= !gentle,
        }
        // Now and then nobody says that the file has changed, until the next start.
        if gentle || self.random.percent(85) {
            self.reload();
        }
    }
}
