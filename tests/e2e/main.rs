//! The gateway from outside: whole fleets of the real binaries on the simulated library.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod attached;
mod burst;
mod command_line;
mod control_channel;
mod demand;
mod demo;
mod diff;
mod events;
mod failover;
mod first_tick;
mod front;
mod golden;
mod hostile;
mod late_client;
mod libraries;
mod login;
mod onlooker;
mod readers;
mod redundancy;
mod refusals;
mod reload;
mod scripts;
mod segment_damage;
mod segment_deaths;
mod segment_names;
mod segment_users;
mod shm;
mod slow_client;
mod staleness;
mod stopping;
mod stress;
mod survival;
mod verbs;
mod worker_death;
