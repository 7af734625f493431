//! The coordinator of qamd: demand, placement, supervision, status. It never touches a tick.
//!
//! From the outside in:
//!
//! * [`verbs`] — what `qamd` can be told, by [`command_line`].
//! * [`config`], [`instruments`] — what an operator writes, checked whole before anything happens.
//! * [`segments`] — the structure of what other programs read in shared memory.
//! * [`start`] — takes the fleet's places ([`runtime_dir`]) and gets ready; [`driver`] — the one task that
//!   owns the [`fleet`], fed by [`control_server`], [`http`], [`signals`] and the ends of children ([`spawn`]).
//! * Pure decisions, with time as an argument: [`fleet`], and in it [`demand`] (what is wanted), [`placement`] (who carries
//!   it), [`assignment`] (how a worker is told), [`life`] and [`restart_policy`] (each process's life), [`worker_state`]
//!   (what a worker said), [`planner`], [`steadiness`], [`pulse`] and [`quality`] (what a connection is worth); [`launch`] and [`settings`] (what a child is started with).
//! * For people: [`status_table`], [`metrics`], [`demo`], [`output`], [`shown`], [`logging`].
//!
//! Every bound is in [`limits`].

pub mod assignment;
pub mod command_line;
pub mod config;
pub mod control_server;
pub mod demand;
pub mod demo;
pub mod driver;
#[cfg(test)]
mod example;
pub mod fleet;
pub mod http;
pub mod instruments;
pub mod launch;
pub mod launched;
pub mod life;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod output;
pub mod placement;
pub mod planner;
pub mod pulse;
pub mod quality;
pub mod restart_policy;
pub mod runtime_dir;
pub mod segments;
pub mod settings;
pub mod shown;
pub mod signals;
pub mod spawn;
pub mod start;
pub mod status_table;
pub mod steadiness;
pub mod verbs;
pub mod worker_state;
