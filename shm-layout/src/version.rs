//! Versions of the contract. Processes of one fleet may be built on different days; these say whether they agree.

/// The version of [`crate::Tick`]'s layout; carried as an attribute of the ring's services.
pub const TICK_SCHEMA: u32 = 1;

/// The version of the control messages; said in the first frame by both sides.
pub const CONTROL_PROTOCOL: u32 = 4;
