//! Whole fleets of the real binaries.

mod guardian;
mod home;
mod plan;
mod running;

pub use home::Home;
pub use plan::FleetPlan;
pub use running::{Fleet, session_state, worker_of};
