//! Whole fleets of the real binaries.

mod guardian;
mod home;
mod looking;
mod plan;
mod running;

pub use home::Home;
pub use looking::{session_state, worker_of};
pub use plan::FleetPlan;
pub use running::Fleet;
