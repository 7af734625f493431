//! The floor of any fan-out: one thread stamps ready frames and writes them to loopback sockets at the same rate. What
//! the gateway adds is its distance from this.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{LoadClient, Seen, monotonic_ns};

/// About the length of a market_data push.
const PAYLOAD_BYTES: usize = 1100;

pub(crate) fn run(rate: u32, sessions: usize, run: Duration) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("its address");
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..sessions {
        reading.push(TcpStream::connect(addr).expect("loopback"));
        let stream = listener.accept().expect("loopback").0;
        stream.set_nodelay(true).expect("nodelay");
        writing.push(stream);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || write_frames(&mut writing, rate, &stop)
    });
    let seen = LoadClient::bare(reading).run(run, monotonic_ns());
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
    seen
}

fn write_frames(streams: &mut [TcpStream], rate: u32, stop: &AtomicBool) {
    let interval_ns = 1_000_000_000 / u64::from(rate);
    let mut due = monotonic_ns();
    while !stop.load(Ordering::Relaxed) {
        let now = monotonic_ns();
        if now < due {
            std::thread::sleep(Duration::from_nanos(due - now));
            continue;
        }
        due += interval_ns;
        let frame = frame(monotonic_ns());
        for stream in &mut *streams {
            // The reader has stopped first at the end of a run.
            if stream.write_all(&frame).is_err() {
                return;
            }
        }
    }
}

fn frame(stamp: u64) -> Vec<u8> {
    let mut text = format!("{{\"turnover\":{stamp}.0,\"filler\":\"");
    let filler = PAYLOAD_BYTES - text.len() - 2;
    text.extend(std::iter::repeat_n('x', filler));
    text.push_str("\"}");
    let length = u16::try_from(text.len()).expect("below 64 KiB");
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}
