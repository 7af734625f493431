//! DIFF, the protocol of TqSdk and of the open-trade-mdservice family: JSON objects with an `aid`.
//!
//! Every client has a snapshot of what it asked for, and the gateway knows what is in it. A client's `peek_message` is
//! answered by one `rtn_data` with merge patches (RFC 7386) that bring the snapshot up to date; when nothing has changed,
//! the answer waits until something has.

mod notify;
mod quote;
mod request;
mod rows;
mod symbols;

pub use notify::{Notice, NoticeLevel, notify_of};
pub(crate) use quote::close_object;
pub use quote::{Quote, QuoteChange, push_quote, push_quote_change, push_quote_object};
pub(in crate::protocol) use request::request;
pub use request::{Refusal, Request, SetChart, Window, symbols_of};
pub use rows::{push_bar, push_tick_row};
pub use symbols::{push_answered, push_refused};
